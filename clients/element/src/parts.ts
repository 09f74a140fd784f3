import type { Messages } from './messages.js'
import { STYLE } from './style.js'
import type { View } from './view.js'

/** The element's own DOM, made once and then changed, so that the focus stays where it is. */
export class Parts {
  readonly #root: ShadowRoot
  readonly main: HTMLButtonElement
  readonly cancel: HTMLButtonElement
  readonly #track: HTMLElement
  readonly #bar: HTMLElement
  readonly #status: HTMLElement
  readonly #original: HTMLElement
  readonly #words: HTMLElement
  readonly #spoken: HTMLElement
  #said = ''

  constructor(root: ShadowRoot) {
    this.#root = root
    const document = root.ownerDocument
    const make = <K extends keyof HTMLElementTagNameMap>(tag: K, part: string, parent: Node) => {
      const made = document.createElement(tag)
      made.className = part
      if (part !== 'row') made.setAttribute('part', part)
      return parent.appendChild(made)
    }
    dress(root)
    const row = make('div', 'row', root)
    this.main = make('button', 'main', row)
    this.cancel = make('button', 'cancel', row)
    this.#track = make('div', 'track', root)
    this.#bar = make('div', 'bar', this.#track)
    this.#status = make('p', 'status', root)
    this.#status.tabIndex = -1
    this.#original = this.#status.appendChild(document.createElement('span'))
    this.#words = this.#original.appendChild(document.createElement('span'))
    this.#spoken = make('div', 'spoken', root)
    this.main.type = this.cancel.type = 'button'
    this.#track.setAttribute('role', 'progressbar')
    this.#track.setAttribute('aria-valuemin', '0')
    this.#track.setAttribute('aria-valuemax', '100')
    this.#spoken.setAttribute('role', 'status')
    this.#spoken.setAttribute('aria-live', 'polite')
  }

  show(view: View, messages: Messages): void {
    put(this.main, view.label)
    name(this.main, view)
    // Not `disabled`: that would drop the focus of those who wait on it.
    this.main.setAttribute('aria-disabled', String(view.action === undefined))
    put(this.cancel, messages.cancel)
    name(this.cancel, view)
    if (!view.canCancel && this.#root.activeElement === this.cancel) this.main.focus()
    this.cancel.hidden = !view.canCancel
    this.#track.hidden = view.progress === undefined
    this.#track.classList.toggle('unknown', view.progress === null)
    this.#track.setAttribute('aria-label', view.subject || messages.progress)
    if (typeof view.progress === 'number') {
      this.#track.setAttribute('aria-valuenow', String(view.progress))
      this.#bar.style.inlineSize = `${view.progress}%`
    } else {
      this.#track.removeAttribute('aria-valuenow')
      this.#bar.style.inlineSize = ''
    }
    put(this.#words, view.status)
    // The title is in English, the words in it are not.
    set(this.#original, 'title', view.original)
    set(this.#original, 'lang', view.original && 'en')
    set(this.#words, 'lang', view.original && messages.locale)
    this.#status.classList.toggle('bad', view.isBad)
    // Whoever waited on the button reads why there is none any more.
    if (!view.hasButton && this.#root.activeElement === this.main) this.#status.focus()
    this.main.hidden = !view.hasButton
    this.#say(view.spoken)
  }

  /** What stands there from the beginning is read anyway; only changes are said. */
  #say(words: string): void {
    if (words === this.#said) return
    this.#said = words
    put(this.#spoken, words)
  }
}

/** A sheet of its own: a page's Content-Security-Policy has nothing against it. */
function dress(root: ShadowRoot): void {
  try {
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(STYLE)
    root.adoptedStyleSheets = [sheet]
  } catch {
    root.appendChild(root.ownerDocument.createElement('style')).textContent = STYLE
  }
}

/** Of several elements, each button says what it is of; what it shows comes first, for those who speak to it. */
function name(button: HTMLElement, { subject }: View): void {
  const shown = button.textContent
  set(button, 'aria-label', subject && subject !== shown ? `${shown}: ${subject}` : undefined)
}

function set(element: HTMLElement, attribute: string, value: string | undefined): void {
  if (value) element.setAttribute(attribute, value)
  else element.removeAttribute(attribute)
}

function put(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text
}
