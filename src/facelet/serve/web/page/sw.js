/**
 * Makes the page work offline: keeps its files in a cache of this version, and answers from there.
 *
 * `facelet web` fills in the version, a hash of all files, so that a changed site gets a new cache. Other requests, such as those
 * of an API on the same server, pass through untouched.
 */

const VERSION = "{{VERSION}}";
/** All files of the site, with those that every visit needs first. */
const FILES = JSON.parse('{{FILES}}');
const NEEDED = JSON.parse('{{NEEDED}}');

const NAME = `facelet-${VERSION}`;
const place = path => new URL(path, self.registration.scope).href;

self.addEventListener("install", event =>
  event.waitUntil(
    caches
      .open(NAME)
      .then(cache => cache.addAll(NEEDED.map(path => new Request(place(path), { cache: "no-cache" }))))
      .then(() => self.skipWaiting()),
  ),
);

self.addEventListener("activate", event =>
  event.waitUntil(
    caches
      .keys()
      .then(names => Promise.all(names.filter(name => name.startsWith("facelet-") && name !== NAME).map(name => caches.delete(name))))
      .then(() => self.clients.claim()),
  ),
);

self.addEventListener("fetch", event => {
  const { request } = event, url = request.url.replace(/#.*/, "").replace(/\/index\.html$/, "/");
  if (request.method === "GET" && FILES.some(path => place(path) === url)) event.respondWith(answer(request, url));
});

async function answer(request, url) {
  const cache = await caches.open(NAME), kept = await cache.match(url);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) await cache.put(url, response.clone());
  return response;
}
