import { DownloadStore, type DownloadKey, type DownloadState, type HaulierClient, type Params } from '@haulier/client'
import { clientOf, HOME, ownClient, whenTokenKnown, type TokenSource } from './clients.js'
import { messagesFor, type Messages } from './messages.js'
import { Parts } from './parts.js'
import { viewOf } from './view.js'

const OBSERVED = ['file-id', 'job-id', 'params', 'base-url', 'label', 'lang'] as const
/** A click that was meant for what the button did a moment ago. */
const STRAY_CLICK_MS = 400

/**
 * `<haulier-download file-id="70000">`: a download from the first click to the file.
 *
 * Attributes: `file-id` or `job-id`, `params` (JSON), `base-url` (default: where the module came from), `label`, `lang`.
 * Properties: `token`, `messages`. Events: `haulier-status`, `haulier-completed`, `haulier-failed` (detail: the state).
 * All its work goes on while it is in a document, and the job anyway.
 */
export class HaulierDownload extends HTMLElement {
  static readonly observedAttributes = OBSERVED
  readonly #parts: Parts
  #store: DownloadStore | undefined
  #client: HaulierClient | undefined
  #leave: (() => void)[] = []
  #token: TokenSource | undefined
  #messages: Partial<Messages> = {}
  #problem: Error | undefined
  #phase = 'idle'
  #actedAt = 0

  constructor() {
    super()
    const root = this.attachShadow({ mode: 'open', delegatesFocus: true })
    this.#parts = new Parts(root)
    this.#parts.main.addEventListener('click', () => void this.#act())
    this.#parts.cancel.addEventListener('click', () => void this.#store?.cancel())
  }

  /** Who the user is, for this element alone; else what `setHaulierToken` says. Never an attribute. */
  set token(source: TokenSource | undefined) {
    this.#token = source
    this.#begin()
  }

  get token(): TokenSource | undefined {
    return this.#token
  }

  /** Texts that replace those of the element's language. */
  set messages(messages: Partial<Messages>) {
    this.#messages = messages
    this.#render()
  }

  get messages(): Partial<Messages> {
    return this.#messages
  }

  get state(): DownloadState {
    return this.#store?.getState() ?? { phase: 'idle', connection: 'idle' }
  }

  connectedCallback(): void {
    this.#begin()
  }

  disconnectedCallback(): void {
    this.#end()
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after || !this.isConnected) return
    if (name === 'label' || name === 'lang') this.#render()
    else this.#begin()
  }

  #begin(): void {
    this.#end()
    if (!this.isConnected) return
    this.#problem = undefined
    try {
      const baseUrl = this.getAttribute('base-url')?.replace(/\/$/, '') ?? HOME
      this.#client = this.#token === undefined ? clientOf(baseUrl) : ownClient(baseUrl, this.#token)
      this.#store = new DownloadStore(this.#client, this.#key())
      this.#phase = this.#store.getState().phase
      this.#leave.push(() => this.#store?.dispose())
      if (this.#token === undefined) this.#leave.push(whenTokenKnown(() => this.#listen()))
      else this.#listen()
    } catch (error) {
      this.#problem = error as Error
    }
    this.#render()
  }

  #listen(): void {
    const store = this.#store
    if (!store) return
    this.#leave.push(store.subscribe(() => this.#changed()))
    this.#changed()
  }

  #end(): void {
    for (const leave of this.#leave.splice(0).reverse()) leave()
    this.#store = undefined
  }

  #key(): DownloadKey {
    const jobId = this.getAttribute('job-id')
    if (jobId) return { jobId }
    const fileId = Number(this.getAttribute('file-id') ?? NaN)
    if (!Number.isInteger(fileId)) throw new Error('<haulier-download> needs a file-id (a whole number) or a job-id.')
    const params = this.getAttribute('params')
    return params === null ? { fileId } : { fileId, params: paramsOf(params) }
  }

  #changed(): void {
    const { phase } = this.state
    this.#render()
    this.#tell('haulier-status')
    if (phase === this.#phase) return
    this.#phase = phase
    this.#actedAt = Date.now()
    if (phase === 'completed' || phase === 'failed') this.#tell(`haulier-${phase}`)
  }

  #tell(name: string): void {
    this.dispatchEvent(new CustomEvent(name, { detail: this.state, bubbles: true, composed: true }))
  }

  async #act(): Promise<void> {
    const { action } = this.#view()
    if (!action || !this.#store || Date.now() - this.#actedAt < STRAY_CLICK_MS) return
    this.#problem = undefined
    if (action === 'start') await this.#store.start()
    else if (action === 'retry') await this.#store.retry()
    else await this.#save()
  }

  /** Leads the browser to a URL signed just now; it saves the file, and the page stays. */
  async #save(): Promise<void> {
    const jobId = this.state.job?.job_id
    if (!jobId || !this.#client) return
    try {
      const link = this.ownerDocument.createElement('a')
      link.href = await this.#client.downloadUrl(jobId)
      link.download = this.state.job?.file_name ?? ''
      link.rel = 'noopener noreferrer'
      link.click()
    } catch (error) {
      this.#problem = error as Error
      this.#render()
    }
  }

  #view() {
    const language = this.closest('[lang]')?.getAttribute('lang') || this.ownerDocument.documentElement.lang || 'en'
    const messages = { ...messagesFor(language), ...this.#messages }
    const state = this.#problem ? { ...this.state, error: this.#problem } : this.state
    const label = this.getAttribute('label') ?? ''
    return { ...viewOf(state, { messages, label, language, now: Date.now() }), cancel: messages.cancel }
  }

  #render(): void {
    const view = this.#view()
    this.#parts.show(view, view.cancel)
    this.dataset.phase = this.state.phase
  }
}

function paramsOf(text: string): Params {
  const params: unknown = JSON.parse(text)
  if (typeof params !== 'object' || params === null || Array.isArray(params)) {
    throw new Error('The attribute params of <haulier-download> is no JSON object.')
  }
  return params as Params
}
