import { forwardRef, type HTMLAttributes } from 'react'
import { useDownloadContext } from './context.js'
import { useStatusText } from './useStatusText.js'

/** The state in words. It is no live region: the root tells screen readers what is news. */
export const Status = forwardRef<HTMLDivElement, HTMLAttributes<HTMLDivElement>>(function Status(
  { children, ...others },
  ref,
) {
  const { download } = useDownloadContext()
  const text = useStatusText()
  if (!children && !text) return null
  return (
    <div {...others} ref={ref} data-haulier="status" data-error={download.error ? '' : undefined}>
      {children ?? text}
    </div>
  )
})
