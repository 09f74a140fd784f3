import { Cancel, Link, Retry, Trigger } from './parts/actions.js'
import { Progress } from './parts/Progress.js'
import { Root, type RootProps } from './parts/Root.js'
import { Status } from './parts/Status.js'

export type DownloadButtonProps = RootProps

/** A whole download in one place. Give it a function or parts as children to arrange it yourself. */
function Button({ children, ...props }: DownloadButtonProps) {
  return <Root {...(props as RootProps)}>{children ?? <Default />}</Root>
}

function Default() {
  return (
    <>
      <div data-haulier="actions">
        <Link />
        <Retry />
        <Trigger />
        <Cancel />
      </div>
      <Progress />
      <Status />
    </>
  )
}

export const DownloadButton = Object.assign(Button, { Root, Trigger, Status, Progress, Cancel, Retry, Link })
