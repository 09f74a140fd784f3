import { forwardRef, type ButtonHTMLAttributes, type KeyboardEvent, type MouseEvent } from 'react'

export type ActionProps = ButtonHTMLAttributes<HTMLButtonElement>

/** What an element adds of its own: called first, and may prevent ours. */
export function composed<E extends { defaultPrevented: boolean }>(given: ((event: E) => void) | undefined, own: (event: E) => void) {
  return (event: E) => {
    given?.(event)
    if (!event.defaultPrevented) own(event)
  }
}

/** A held Enter key must not press the button that takes this one's place. */
export function ignoreRepeat(event: KeyboardEvent): void {
  if (event.repeat && event.key === 'Enter') event.preventDefault()
}

export const Action = forwardRef<HTMLButtonElement, ActionProps & { part: string; run: () => void }>(function Action(
  { part, run, onClick, onKeyDown, children, ...others },
  ref,
) {
  return (
    <button
      type="button"
      {...others}
      ref={ref}
      data-haulier={part}
      onClick={composed<MouseEvent<HTMLButtonElement>>(onClick, run)}
      onKeyDown={composed<KeyboardEvent<HTMLButtonElement>>(onKeyDown, ignoreRepeat)}
    >
      {children}
    </button>
  )
})
