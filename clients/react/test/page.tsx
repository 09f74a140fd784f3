import { HaulierClient, type ClientOptions } from '@haulier/client'
import { act, StrictMode, type ReactNode } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { FakeClock, FakeServer } from '../../typescript/test/fakes.js'
import { HaulierProvider } from '../src/index.js'

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })

/** A page with a Haulier in the place of fetch. */
export class Page {
  readonly server = new FakeServer()
  readonly clock = new FakeClock()
  client: HaulierClient
  readonly opened: string[] = []
  readonly element = document.body.appendChild(document.createElement('main'))
  #root: Root | undefined

  constructor(options: Partial<ClientOptions> = {}) {
    this.client = this.clientOf(options)
  }

  clientOf(options: Partial<ClientOptions>): HaulierClient {
    const { fetch } = this.server
    return new HaulierClient({ token: 't', baseUrl: 'http://haulier.test', fetch, clock: this.clock, ...options })
  }

  /** In StrictMode, which mounts everything twice. */
  async show(children: ReactNode): Promise<void> {
    this.#root ??= createRoot(this.element)
    await act(async () => this.#root?.render(this.wrapped(children)))
    await this.settled()
  }

  wrapped(children: ReactNode): ReactNode {
    const openUrl = (url: string) => void this.opened.push(url)
    return (
      <StrictMode>
        <HaulierProvider client={this.client} openUrl={openUrl}>
          {children}
        </HaulierProvider>
      </StrictMode>
    )
  }

  /** What waits for nothing but its turn has run. */
  async settled(): Promise<void> {
    await act(async () => new Promise((resolve) => setTimeout(resolve, 20)))
  }

  async does(action: () => unknown): Promise<void> {
    await act(async () => void (await action()))
    await this.settled()
  }

  part(name: string): HTMLElement {
    const found = this.element.querySelector<HTMLElement>(`[data-haulier="${name}"]`)
    if (!found) throw new Error(`no ${name} in ${this.element.innerHTML}`)
    return found
  }

  has(name: string): boolean {
    return this.element.querySelector(`[data-haulier="${name}"]`) !== null
  }

  text(name: string): string {
    return this.part(name).textContent ?? ''
  }

  click(name: string): Promise<void> {
    return this.does(() => this.part(name).click())
  }

  async leave(): Promise<void> {
    await act(async () => this.#root?.unmount())
    this.element.remove()
    localStorage.clear()
  }
}
