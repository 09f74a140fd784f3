import {
  asError,
  DownloadStore,
  HaulierError,
  IDLE,
  type DownloadKey,
  type DownloadState,
  type HaulierClient,
  type Params,
} from '@haulier/client'
import { clientOf, HOME, isFixed, noUser, onNewUser, ownClient, pageOwner, type Owner, type TokenSource } from './clients.js'
import { messagesFor, type Messages } from './messages.js'
import { Parts } from './parts.js'
import { badAttribute, viewOf } from './view.js'

const OBSERVED = ['file-id', 'job-id', 'params', 'base-url', 'label', 'lang'] as const
/** A click that was meant for what the button did a moment ago. */
const STRAY_CLICK_MS = 400

/**
 * `<haulier-download file-id="70000">`: a download from the first click to the file.
 *
 * Attributes: `file-id` or `job-id`, `params` (JSON), `base-url` (default: where the module came from), `label`, `lang`.
 * Properties: `token`, `user`, `messages`. Events: `haulier-status`, `haulier-completed`, `haulier-failed` (detail: the state).
 * All its work goes on while it is in a document, and the job anyway.
 */
export class HaulierDownload extends HTMLElement {
  static readonly observedAttributes = OBSERVED
  readonly #parts: Parts
  #store: DownloadStore | undefined
  #client: HaulierClient | undefined
  #leave: (() => void)[] = []
  #owner: Owner | undefined
  #messages: Partial<Messages> = {}
  #user: string | undefined
  #problem: Error | undefined
  #saving: DownloadStore | undefined
  #phase = 'idle'
  /** The end that the page was told last. */
  #told = ''
  /** What an earlier visit left behind is not news, until somebody acts. */
  #isNews = false
  #actedAt = 0

  constructor() {
    super()
    const root = this.attachShadow({ mode: 'open', delegatesFocus: true })
    this.#parts = new Parts(root)
    this.#parts.main.addEventListener('click', () => void this.#act())
    // A held Enter key must not press what a button becomes.
    root.addEventListener('keydown', (event) => {
      const { repeat, key } = event as KeyboardEvent
      if (repeat && key === 'Enter') event.preventDefault()
    })
    this.#parts.cancel.addEventListener('click', () => this.#cancel())
  }

  /**
   * Who the user is, for this element alone; else what `setHaulierToken` says. Never an attribute. Where `user` says that it
   * is the same one's it renews the token, else the element begins anew.
   */
  set token(source: TokenSource | undefined) {
    if (source === this.token) return
    const { error } = this.state
    const isRefused = error instanceof HaulierError && error.status === 401
    if (this.#owner && source !== undefined && this.#client && this.#isUsers(this.#owner) && !isRefused) {
      this.#owner.source = source
      return
    }
    this.#owner = source === undefined ? undefined : { source, user: this.#user }
    this.#begin()
  }

  get token(): TokenSource | undefined {
    return this.#owner?.source
  }

  /** Whose `token` it is; keeps apart what is remembered of several users. */
  set user(user: string | undefined) {
    if (user === this.#user) return
    this.#user = user
    const before = this.#owner
    if (!before) return
    // Where it is in use it stays the former user's: the token that comes after this name is no renewal.
    this.#owner = this.#client ? { ...before } : { ...before, user }
    // The one that came just before may be the next user's, and must not repeat what was asked for the one before.
    before.source = () => Promise.reject(noUser())
    this.#begin()
  }

  get user(): string | undefined {
    return this.#user
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
    return this.#store?.getState() ?? IDLE
  }

  connectedCallback(): void {
    for (const name of ['user', 'token', 'messages'] as const) this.#upgrade(name)
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

  /** A property that was set before this class was known hides the setter. */
  #upgrade(name: 'user' | 'token' | 'messages'): void {
    if (!Object.hasOwn(this, name)) return
    const given = this[name]
    delete this[name]
    Object.assign(this, { [name]: given })
  }

  #isUsers({ user }: Owner): boolean {
    return user !== undefined && user === this.#user
  }

  #begin(): void {
    this.#end()
    if (!this.isConnected) return
    this.#problem = undefined
    this.#isNews = false
    try {
      const key = this.#key()
      const baseUrl = this.getAttribute('base-url')?.replace(/\/$/, '') ?? HOME
      if (!this.#owner) this.#leave.push(onNewUser(() => this.#begin()))
      this.#client = this.#owner ? ownClient(baseUrl, this.#owner, this.#user) : clientOf(baseUrl)
      if (this.#client) this.#listen(new DownloadStore(this.#client, key))
    } catch (error) {
      this.#problem = asError(error)
    }
    this.#render()
  }

  #listen(store: DownloadStore): void {
    this.#store = store
    this.#phase = store.getState().phase
    this.#leave.push(() => store.dispose())
    this.#leave.push(store.subscribe(() => this.#changed()))
    this.#changed()
  }

  #end(): void {
    for (const leave of this.#leave.splice(0).reverse()) leave()
    this.#store = undefined
    this.#client = undefined
  }

  #key(): DownloadKey {
    const jobId = this.getAttribute('job-id')
    if (jobId) return { jobId }
    const fileId = Number(this.getAttribute('file-id') ?? NaN)
    if (!Number.isInteger(fileId)) throw badAttribute('<haulier-download> needs a file-id (a whole number) or a job-id.')
    const params = this.getAttribute('params')
    return params === null ? { fileId } : { fileId, params: paramsOf(params) }
  }

  #changed(): void {
    const { phase, job } = this.state
    if (phase === 'queued' || phase === 'processing') this.#isNews = true
    const isNew = phase !== this.#phase
    // It was of the state before: a file that was gone, say.
    if (isNew) this.#problem = undefined
    this.#render()
    this.#tell('haulier-status')
    if (!isNew) return
    this.#phase = phase
    this.#actedAt = Date.now()
    const end = `${phase} ${job?.job_id}`
    if ((phase !== 'completed' && phase !== 'failed') || end === this.#told) return
    this.#told = end
    this.#tell(`haulier-${phase}`)
  }

  #tell(name: string): void {
    this.dispatchEvent(new CustomEvent(name, { detail: this.state, bubbles: true, composed: true }))
  }

  async #act(): Promise<void> {
    const { action } = this.#view()
    if (!action || Date.now() - this.#actedAt < STRAY_CLICK_MS) return
    this.#isNews = true
    if (!this.#store) {
      this.#problem ??= noUser()
      return this.#render()
    }
    if (action === 'save') return this.#save(this.#store)
    this.#problem = undefined
    await this.#store[action]()
  }

  #cancel(): void {
    this.#isNews = true
    void this.#store?.cancel()
  }

  /** Leads the browser to a URL signed just now; it saves the file, and the page stays. */
  async #save(store: DownloadStore): Promise<void> {
    const { job } = this.state
    if (!job || !this.#client || this.#saving === store) return
    this.#saving = store
    this.#problem = undefined
    try {
      const link = this.ownerDocument.createElement('a')
      link.href = await this.#client.downloadUrl(job.job_id)
      // Meanwhile it may be another file's element, or another user's.
      if (this.#store !== store) return
      link.download = job.file_name ?? ''
      link.rel = 'noopener noreferrer'
      link.click()
    } catch (error) {
      if (this.#store === store) this.#problem = asError(error)
    } finally {
      this.#saving = undefined
      this.#render()
    }
  }

  #view() {
    const language = this.closest('[lang]')?.getAttribute('lang') || this.ownerDocument.documentElement.lang || 'en'
    const messages = { ...messagesFor(language), ...this.#messages }
    const state = this.#problem ? { ...this.state, error: this.#problem } : this.state
    const label = this.getAttribute('label') ?? ''
    const look = { messages, label, isNamed: this.hasAttribute('job-id'), isFixed: isFixed(this.#owner ?? pageOwner()) }
    const view = viewOf(state, { ...look, now: Date.now() })
    return { ...view, messages, spoken: this.#isNews ? view.spoken : '' }
  }

  #render(): void {
    const view = this.#view()
    this.#parts.show(view, view.messages)
    this.dataset.phase = this.state.phase
  }
}

function paramsOf(text: string): Params {
  const params = parsedOf(text)
  if (typeof params !== 'object' || params === null || Array.isArray(params)) {
    throw badAttribute('The attribute params of <haulier-download> is no JSON object.')
  }
  return params as Params
}

function parsedOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
