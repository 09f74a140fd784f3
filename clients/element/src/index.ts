import { HaulierDownload } from './element.js'

export { HaulierDownload } from './element.js'
export { setHaulierToken, type TokenSource } from './clients.js'
export type { Messages } from './messages.js'

if (!customElements.get('haulier-download')) customElements.define('haulier-download', HaulierDownload)
