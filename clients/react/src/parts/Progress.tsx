import { forwardRef, type CSSProperties, type HTMLAttributes } from 'react'
import { isUnderWay } from './actions.js'
import { useDownloadContext } from './context.js'
import { useStatusText } from './useStatusText.js'

/** A progress bar while the job lives; without a value until it is being prepared. */
export const Progress = forwardRef<HTMLDivElement, HTMLAttributes<HTMLDivElement>>(function Progress(props, ref) {
  const { download, messages, label } = useDownloadContext()
  const text = useStatusText()
  if (!isUnderWay(download)) return null
  const percent = download.isProcessing ? download.progress : undefined
  return (
    <div
      role="progressbar"
      aria-label={label ?? messages.progress}
      {...props}
      ref={ref}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      aria-valuetext={text}
      data-haulier="progress"
    >
      <div data-haulier="bar" style={{ '--haulier-progress': `${percent ?? 0}%` } as CSSProperties} />
    </div>
  )
})
