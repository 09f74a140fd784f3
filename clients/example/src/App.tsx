import { DownloadButton, german } from '@haulier/react'
import { filesOf } from './files.js'
import { History } from './History.js'

const query = new URLSearchParams(window.location.search)
const files = filesOf(query)
const messages = query.get('language') === 'de' ? german : undefined
const via = query.get('via') === 'websocket' ? 'websocket' : 'stream'

export function App() {
  return (
    <main>
      <h1>Downloads with Haulier</h1>
      <p>Start one, reload the page, open it in a second tab: it goes on.</p>
      <ul className="files">
        {files.map(({ id, name }) => (
          <li key={id}>
            <h2>{name}</h2>
            <DownloadButton fileId={id} label={name} messages={messages} via={via} />
          </li>
        ))}
      </ul>
      <History />
    </main>
  )
}
