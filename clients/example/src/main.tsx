import { HaulierProvider } from '@haulier/react'
import '@haulier/react/styles.css'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './App.js'
import { client } from './client.js'
import './example.css'

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <HaulierProvider client={client}>
      <App />
    </HaulierProvider>
  </StrictMode>,
)
