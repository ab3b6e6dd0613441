import { fileURLToPath } from 'node:url'
import preact from '@preact/preset-vite'
import { defineConfig } from 'vitest/config'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  plugins: [preact({ reactAliasesEnabled: true, prefreshEnabled: false })],
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
