// Keeps the verification page, so that it opens without a line. It keeps files and the list of public keys alone: no
// code, no prescription, no answer.
const shelf = 'verify-1'
const page = '/verify'

async function keep() {
  const answer = await fetch(page, { cache: 'no-cache' })
  const html = await answer.clone().text()
  const cache = await caches.open(shelf)
  await cache.put(page, answer)
  const files = new Set(
    [...html.matchAll(/(?:src|href)="(\/(?:assets\/[^"]+|icon\.svg))"/g)].map((match) => match[1]),
  )
  // Also what the page loads only when it needs it: a code signed with SM2 must be checked without a line.
  for (const file of files) {
    await cache.add(file)
    if (!file.endsWith('.js')) continue
    const script = await (await cache.match(file)).text()
    for (const [, name] of script.matchAll(/["'`](?:\.\/|\/?assets\/)([\w.-]+\.(?:js|css))["'`]/g))
      files.add(`/assets/${name}`)
  }
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
