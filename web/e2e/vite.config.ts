// Node 20 does not run TypeScript, so the browser tests are bundled first; what they import from node_modules stays outside.
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const here = fileURLToPath(new URL('.', import.meta.url))

export default defineConfig({
  root: here,
  publicDir: false,
  logLevel: 'warn',
  build: {
    ssr: true,
    target: 'node20',
    outDir: `${here}.out`,
    emptyOutDir: true,
    rollupOptions: {
      input: readdirSync(here)
        .filter((name) => name.endsWith('.test.ts') || ['line.ts', 'ohif.ts', 'whip.ts'].includes(name))
        .map((name) => here + name),
      output: { entryFileNames: '[name].js' },
    },
  },
})
