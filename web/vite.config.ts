import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import preact from '@preact/preset-vite'
import { defineConfig } from 'vitest/config'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** What pdf.js asks for by name while it draws: character maps of Chinese without its fonts, decoders of scans, colours. */
const pdfParts = () => ({
  name: 'pdf-parts',
  generateBundle(this: { emitFile: (file: { type: 'asset'; fileName: string; source: Uint8Array }) => void }) {
    const { version } = JSON.parse(readFileSync(here('./node_modules/pdfjs-dist/package.json'), 'utf8'))
    for (const [folder, wanted] of [
      ['cmaps', /GB/],
      ['wasm', /\.wasm$/],
    ] as const) {
      const from = here(`./node_modules/pdfjs-dist/${folder}/`)
      for (const name of readdirSync(from).filter((name) => wanted.test(name)))
        this.emitFile({
          type: 'asset',
          fileName: `assets/pdf-${version}/${folder}/${name}`,
          source: readFileSync(from + name),
        })
    }
  },
})

export default defineConfig({
  plugins: [preact({ reactAliasesEnabled: true, prefreshEnabled: false }), pdfParts()],
  // Cornerstone's vtk.js pulls xmlbuilder2, which needs these two Node modules to exist when the page starts.
  resolve: { alias: { events: here('./node_modules/events/events.js'), url: here('./node_modules/url/url.js') } },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { patient: here('patient.html'), workspace: here('workspace.html'), verify: here('verify.html') },
    },
  },
  worker: { format: 'es' },
  optimizeDeps: { exclude: ['@cornerstonejs/dicom-image-loader'] },
  server: {
    proxy: {
      '/api': 'http://127.0.0.1:8080',
      '/dicomweb': 'http://127.0.0.1:8080',
      '/shared/dicomweb': 'http://127.0.0.1:8080',
      '/signal': { target: 'ws://127.0.0.1:8080', ws: true },
    },
  },
  test: { environment: 'happy-dom', include: ['src/**/*.test.{ts,tsx}'] },
})
