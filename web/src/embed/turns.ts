// Which widgets of a page train: those on screen, two at a time, the others in turn.

/** What takes turns. */
export interface Turn {
  /** Whether it wants to train and can be seen. */
  readonly eager: boolean;
  hold(on: boolean): void;
}

const MOST = 2;
/** Milliseconds of a turn, while others wait. */
const LONG = 4000;

/** In the order in which they have their turns. */
let queue: Turn[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;

/** Something has changed: a widget came, went, was started, paused or scrolled. */
export function share(): void {
  const eager = queue.filter((turn) => turn.eager && !document.hidden);
  for (const turn of queue) turn.hold(!eager.slice(0, MOST).includes(turn));
  if (eager.length <= MOST) {
    clearTimeout(timer);
    timer = undefined;
  } else {
    timer ??= setTimeout(() => {
      timer = undefined;
      const had = eager.slice(0, MOST);
      queue = [...queue.filter((turn) => !had.includes(turn)), ...had.filter((turn) => queue.includes(turn))];
      share();
    }, LONG);
  }
}

export function join(turn: Turn): void {
  if (!queue.includes(turn)) queue.push(turn);
  share();
}

export function leave(turn: Turn): void {
  queue = queue.filter((other) => other !== turn);
  share();
}

// A server that only imports this has no page.
globalThis.document?.addEventListener("visibilitychange", share);
