import { Component, type ReactNode, type RefObject } from 'react'

interface Props {
  root: RefObject<HTMLElement | null>
  children: ReactNode
}

const NEXT = ['link', 'retry', 'trigger', 'cancel'].map((part) => `[data-haulier="${part}"]`)

/**
 * When the part that had the focus goes away with a change of state, the part that takes its place has it. A class,
 * because only that is asked just before the document changes; browsers differ in what they tell of a removed element.
 */
export class KeptFocus extends Component<Props> {
  override getSnapshotBeforeUpdate(): boolean {
    const root = this.props.root.current
    return root?.contains(root.ownerDocument.activeElement) ?? false
  }

  override componentDidUpdate(_props: Props, _state: object, hadFocus: boolean): void {
    const root = this.props.root.current
    if (!root || !hadFocus || root.contains(root.ownerDocument.activeElement)) return
    const next = NEXT.map((selector) => root.querySelector<HTMLElement>(selector)).find((found) => found !== null)
    ;(next ?? root).focus({ preventScroll: true })
  }

  override render(): ReactNode {
    return this.props.children
  }
}
