// Line icons on a 24 px grid; always beside a word.
const paths = {
  back: 'M15 5l-7 7 7 7',
  next: 'M9 5l7 7-7 7',
  check: 'M4 12.5l5 5L20 6.5',
  cross: 'M6 6l12 12M18 6L6 18',
  warn: 'M12 4L2.5 20h19L12 4zM12 10v4.5M12 17.4v.2',
  info: 'M12 3a9 9 0 100 18 9 9 0 000-18zM12 11v5.5M12 7.6v.2',
  stop: 'M8.2 3h7.6L21 8.2v7.6L15.8 21H8.2L3 15.8V8.2L8.2 3zM8 12h8',
  hospital: 'M4 21V8l8-5 8 5v13M4 21h16M12 9v6M9 12h6M10 21v-3h4v3',
  phone:
    'M6.5 3.5l3 .7 1 4-2 1.6a12 12 0 005.7 5.7l1.6-2 4 1 .7 3c.1 1.8-1.2 3-3 3C10 20.5 3.5 14 3.5 6.5c0-1.8 1.2-3.1 3-3z',
  camera: 'M3 7h11v10H3zM14 11l7-4v10l-7-4',
  cameraOff: 'M3 7h8M14 9v-2h-.5M14 11l7-4v10l-7-4M3 7v10h11v-2M3 3l18 18',
  screen: 'M3 5h18v12H3zM9 21h6M12 17v4M12 14V8M9 10.5L12 8l3 2.5',
  mic: 'M12 3a3 3 0 00-3 3v5a3 3 0 006 0V6a3 3 0 00-3-3zM5.5 11a6.5 6.5 0 0013 0M12 17.5V21M8.5 21h7',
  micOff:
    'M9 9v2a3 3 0 004.5 2.6M15 11V6a3 3 0 00-5.7-1.3M5.5 11a6.5 6.5 0 0010 5.4M18.5 11c0 .8-.1 1.5-.4 2.2M12 17.5V21M8.5 21h7M3 3l18 18',
  hangup:
    'M3 15.5c0-2 4-5 9-5s9 3 9 5c0 1.6-.8 2.3-2.2 2l-2.6-.6c-.9-.2-1.2-.8-1.2-1.7v-1.1a12 12 0 00-6 0v1.1c0 .9-.3 1.5-1.2 1.7l-2.6.6C3.8 17.8 3 17.1 3 15.5z',
  clock: 'M12 3a9 9 0 100 18 9 9 0 000-18zM12 7.5V12l3.5 2',
  person: 'M12 12a4 4 0 100-8 4 4 0 000 8zM4 21c0-4 3.5-6.5 8-6.5s8 2.5 8 6.5',
  pill: 'M10.5 20.5a5 5 0 01-7-7l7-7a5 5 0 017 7l-7 7zM7 10l7 7M14 3.5',
  photo: 'M4 7h4l1.5-2.5h5L16 7h4v12H4V7zM12 16.5a3.7 3.7 0 100-7.4 3.7 3.7 0 000 7.4z',
  file: 'M6 3h8l4 4v14H6V3zM14 3v4h4M9 12h6M9 16h6',
  send: 'M4 12l16-8-6 16-3-7-7-1z',
  speaker: 'M4 9.5h4L13 5v14l-5-4.5H4v-5zM16.5 9a4.5 4.5 0 010 6M19 6.5a8 8 0 010 11',
  swap: 'M4 8h14l-3.5-3.5M20 16H6l3.5 3.5',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 017 0v3',
  pointer: 'M5 3l14 8-6 1.5L10 19 5 3z',
  eye: 'M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 15a3 3 0 100-6 3 3 0 000 6z',
  up: 'M12 20V5M5 11.5L12 4.5l7 7',
  search: 'M10.5 4a6.5 6.5 0 100 13 6.5 6.5 0 000-13zM15.5 15.5L21 21',
  pen: 'M4 20l1-4L16.5 4.5l3 3L8 19l-4 1zM14 7l3 3',
  bars_poor: 'M4 20v-4',
  bars_fair: 'M4 20v-4M10 20v-9',
  bars_good: 'M4 20v-4M10 20v-9M16 20V6',
  people:
    'M9 11.5a3.5 3.5 0 100-7 3.5 3.5 0 000 7zM2.5 20c0-3.5 2.8-5.5 6.5-5.5s6.5 2 6.5 5.5M16 5a3.3 3.3 0 010 6.3M17.5 14.8c2.5.6 4 2.5 4 5.2',
} as const

export type IconName = keyof typeof paths

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  )
}

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" fill="var(--primary)" />
      <path
        d="M7 17h5l2.5-7 4 13 2.5-6h4"
        fill="none"
        stroke="var(--on-primary)"
        stroke-width="2.4"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  )
}
