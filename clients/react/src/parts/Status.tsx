import { originalReason } from '@haulier/client'
import { forwardRef, type HTMLAttributes } from 'react'
import { useDownloadContext } from './context.js'
import { useStatusText } from './useStatusText.js'

/** The state in words. It is no live region: the root tells screen readers what is news. */
export const Status = forwardRef<HTMLDivElement, HTMLAttributes<HTMLDivElement>>(function Status(
  { children, ...others },
  ref,
) {
  const { download, messages } = useDownloadContext()
  const text = useStatusText()
  if (!children && !text) return null
  return (
    <div {...others} ref={ref} data-haulier="status" data-error={download.error ? '' : undefined}>
      {children ?? <Words text={text} locale={messages.locale} original={originalReason(download, messages)} />}
    </div>
  )
})

/** The server's own sentence is a title in English around words that are not. */
function Words({ text, locale, original }: { text: string; locale: string; original: string | undefined }) {
  if (!original) return text
  return (
    <span title={original} lang="en">
      <span lang={locale}>{text}</span>
    </span>
  )
}
