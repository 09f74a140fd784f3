// The page of one job: asks for a token, kept in this page only, and shows the job of the address.
const form = document.querySelector('form')
const field = document.querySelector('input')
const place = document.querySelector('#job')
const jobId = location.pathname.split('/').filter(Boolean).at(-1)
document.querySelector('#id').textContent = jobId

try {
  const { setHaulierToken } = await import('../haulier-download.js')
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const token = field.value.trim()
    if (!token) return field.focus()
    field.value = ''
    place.replaceChildren() // what was shown to another user asks nothing with this token
    setHaulierToken(token)
    const element = document.createElement('haulier-download')
    element.setAttribute('job-id', jobId)
    place.replaceChildren(element)
    form.querySelector('button').textContent = 'Use another token'
    element.focus()
  })
  form.hidden = false
  document.querySelector('#terminal').hidden = true
} catch (error) {
  console.error(error) // the module was not built, or this browser is too old: what the page says without it stays
}
