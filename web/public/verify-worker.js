// Keeps the verification page, so that it opens without a line. It keeps files and the list of public keys alone: no
// code, no prescription, no answer.
const shelf = 'verify-1'
const page = '/verify'

async function keep() {
  const answer = await fetch(page, { cache: 'no-cache' })
  const html = await answer.clone().text()
  const files = [...html.matchAll(/(?:src|href)="(\/(?:assets\/[^"]+|icon\.svg))"/g)].map((match) => match[1])
  const cache = await caches.open(shelf)
  await cache.put(page, answer)
  await cache.addAll(files)
}

self.addEventListener('install', (event) => event.waitUntil(keep().then(() => self.skipWaiting())))
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url)
  if (event.request.method !== 'GET' || url.origin !== location.origin) return
  if (event.request.mode === 'navigate') {
    // The newest page when there is a line; the kept one when there is none.
    event.respondWith(
      fetch(event.request)
        .then((answer) => {
          event.waitUntil(keep().catch(() => undefined))
          return answer
        })
        .catch(() => caches.match(page)),
    )
  } else if (url.pathname.startsWith('/assets/') || url.pathname === '/icon.svg') {
    event.respondWith(caches.match(event.request).then((kept) => kept ?? fetch(event.request)))
  }
})
