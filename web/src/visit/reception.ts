// "Sound is enough": a choice of the person, kept on the device.
import { effect, signal } from '@preact/signals'

const key = 'yz.receive'

export const soundOnly = signal(globalThis.localStorage?.getItem(key) === 'sound')

effect(() => {
  globalThis.localStorage?.setItem(key, soundOnly.value ? 'sound' : 'auto')
})
