import { useEffect, useLayoutEffect, useRef, type RefObject } from 'react'

// A server has no layout, and React 18 warns about it.
const useCommitted = typeof document === 'undefined' ? useEffect : useLayoutEffect
const NEXT = ['link', 'retry', 'trigger', 'cancel'].map((part) => `[data-haulier="${part}"]`)

/** When the part that had the focus goes away with a change of state, the part that takes its place has it. */
export function useKeptFocus(root: RefObject<HTMLElement | null>): void {
  const isInside = useRef(false)
  useEffect(() => {
    const element = root.current
    if (!element) return
    const onFocusIn = () => {
      isInside.current = true
    }
    // A window that loses the focus keeps its active element; one that is removed tells nothing, or has no parent any more.
    const onFocusOut = (event: FocusEvent) => {
      const { target, relatedTarget } = event
      const isRemoved = target instanceof Node && !element.contains(target)
      const { activeElement } = element.ownerDocument
      if (isRemoved || element.contains(activeElement)) return
      isInside.current = relatedTarget instanceof Node && element.contains(relatedTarget)
    }
    element.addEventListener('focusin', onFocusIn)
    element.addEventListener('focusout', onFocusOut)
    return () => {
      element.removeEventListener('focusin', onFocusIn)
      element.removeEventListener('focusout', onFocusOut)
    }
  }, [root])
  useCommitted(() => {
    const element = root.current
    if (!element || !isInside.current) return
    const { activeElement, body } = element.ownerDocument
    if (activeElement && activeElement !== body) return
    const next = NEXT.map((selector) => element.querySelector<HTMLElement>(selector)).find(Boolean)
    ;(next ?? element).focus({ preventScroll: true })
  })
}
