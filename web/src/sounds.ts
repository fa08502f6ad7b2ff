// Sounds of a person's own: decoded by the browser, mixed to one channel and sampled at the rate that the source `sounds` wants, packed as a zip of
// WAV files in which the folder is the class. Bands of pitch are made of them in Rust.
import { base, classes, eachOf, isHeldOut, quoted, zipped, type Found, type Packed, type Tell } from "./found";

/** Samples a second that are kept, as `recordings::RATE` says in Rust. */
const RATE = 16_000;
/** Most seconds of all sounds together, as `recordings::MOST_SECONDS` says. */
const MOST_SECONDS = 1800;
/** A file of fewer bytes cannot be so long that it takes the memory of the page to decode it. */
const SHORT = 256 << 10;
/** Files of more bytes whose length the browser does not know are not decoded. */
const LARGEST = 64 << 20;
/** What stays below this at every moment is silence: 80 decibels below full loudness. */
const SILENT = 1e-4;
/** Milliseconds that a browser has to find out how long a file is. */
const PATIENCE = 5000;

const SOUND = /\.(wav|wave|mp3|ogg|oga|opus|m4a|aac|flac|weba|webm|aiff?|caf)$/i;

export const isSound = ([path, file]: Found) => file.type.startsWith("audio/") || SOUND.test(path);
/** Whether a file of an archive may be wanted. */
export const mayBeSound = (path: string) => SOUND.test(path);

const minutes = (seconds: number) => Math.ceil(seconds / 60);

/** How long a file says that it is, without decoding it; 0 for a small one, nothing where that is not known. */
async function seconds(file: Blob): Promise<number | undefined> {
  if (file.size < SHORT) return 0;
  const url = URL.createObjectURL(file);
  const audio = new Audio();
  try {
    const known = await new Promise<number>((resolve) => {
      audio.onloadedmetadata = () => resolve(audio.duration);
      audio.onerror = () => resolve(NaN);
      setTimeout(() => resolve(NaN), PATIENCE);
      audio.preload = "metadata";
      audio.src = url;
    });
    return Number.isFinite(known) ? known : undefined;
  } finally {
    audio.removeAttribute("src");
    URL.revokeObjectURL(url);
  }
}

/** What to say of sounds that are longer than there is room for. */
function tooLong(all: number, longest: string, its: number): Error {
  return new Error(`These sounds last ${minutes(all)} minutes, of which "${longest}" is ${minutes(its)}; there is room for ${minutes(MOST_SECONDS)}. Cut them, or take fewer of them.`);
}

/** Refuses what is too long before any of it is decoded. */
async function measure(sounds: Found[], tell: Tell): Promise<(number | undefined)[]> {
  const long: (number | undefined)[] = [];
  await eachOf(sounds, (_, all) => tell(0, all), async (file, i) => {
    long[i] = await seconds(file);
  });
  const sum = long.reduce<number>((sum, s) => sum + (s ?? 0), 0);
  const longest = long.reduce<number>((most, s, i) => ((s ?? 0) > (long[most] ?? 0) ? i : most), 0);
  if (sum > MOST_SECONDS) throw tooLong(sum, base(sounds[longest]![0]), long[longest] ?? 0);
  return long;
}

/** The mean of all channels, at the rate that is kept. */
async function decode(file: Blob): Promise<Float32Array> {
  const heard = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await file.arrayBuffer());
  const wave = heard.getChannelData(0);
  for (let channel = 1; channel < heard.numberOfChannels; channel++) {
    heard.getChannelData(channel).forEach((v, i) => (wave[i]! += v));
  }
  return wave.map((v) => v / heard.numberOfChannels);
}

/** A wave as a WAV file of 16 bits. */
function wav(wave: Float32Array): Blob {
  const bytes = 2 * wave.length;
  const view = new DataView(new ArrayBuffer(44 + bytes));
  const word = (at: number, text: string) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  word(0, "RIFF");
  view.setUint32(4, 36 + bytes, true);
  word(8, "WAVEfmt ");
  // Plain samples, one channel, so many a second, bytes a second and a sample, bits.
  [[16, 4], [1, 2], [1, 2], [RATE, 4], [2 * RATE, 4], [2, 2], [16, 2]].reduce((at, [value, width]) => {
    if (width === 4) view.setUint32(at, value!, true);
    else view.setUint16(at, value!, true);
    return at + width!;
  }, 16);
  word(36, "data");
  view.setUint32(40, bytes, true);
  // Chromium reads samples of 16 bits like this, so that a file of 16 bits at this rate stays what it was.
  wave.forEach((v, i) => view.setInt16(44 + 2 * i, Math.max(-32_768, Math.min(32_767, Math.round(v * (v < 0 ? 32_768 : 32_767)))), true));
  return new Blob([view]);
}

/** Sounds as a zip of their waves. */
export async function packSounds(sounds: Found[], name: string, tell: Tell, notes: string[]): Promise<Packed> {
  const known = await measure(sounds, tell);
  const waves: (Float32Array | undefined)[] = [];
  let sum = 0;
  await eachOf(sounds, tell, async (file, i) => {
    if (known[i] === undefined && file.size > LARGEST) return;
    const wave = await decode(file).catch(() => undefined);
    sum += (wave?.length ?? 0) / RATE;
    // What a file says of itself need not be true.
    if (wave && sum > MOST_SECONDS) throw tooLong(sum, base(sounds[i]![0]), wave.length / RATE);
    waves[i] = wave;
  });
  const all = classes(sounds.map(([path]) => path), "sounds");
  const names = (left: boolean[]) => sounds.filter((_, i) => left[i]).map(([path]) => base(path));
  const unread = names(sounds.map((_, i) => !waves[i]?.length));
  const silent = names(sounds.map((_, i) => !!waves[i]?.length && waves[i]!.every((v) => Math.abs(v) < SILENT)));
  if (unread.length === sounds.length) throw new Error(`No sound could be read: ${quoted(unread)}. WAV, MP3, Ogg and FLAC can be; save them as one of these.`);
  if (unread.length) notes.push(`Left out as no sounds that this browser can read, ${unread.length} of ${sounds.length}: ${quoted(unread)}.`);
  if (silent.length) notes.push(`Left out as silent, ${silent.length} of ${sounds.length}: ${quoted(silent)}.`);
  const left = sounds.map((sound, i) => ({ path: sound[0], kind: all[i]!, wave: waves[i] })).filter(({ wave }) => wave?.some((v) => Math.abs(v) >= SILENT));
  if (!left.length) throw new Error(`All these sounds are silent: ${quoted(silent)}. Record them again, and look whether the microphone is on.`);
  const kinds = new Set(left.map(({ kind }) => kind));
  if (kinds.size < 2) throw new Error(`All sounds that can be heard are of the class "${[...kinds][0]}", so there is nothing to tell apart. Put each class into a folder of its own, and drop the folders together.`);
  const files = left.map(({ path, kind, wave }, i): Found => [`${isHeldOut(path) ? "test/" : ""}${kind}/${i + 1} ${base(path).replace(/\.\w+$/, "")}.wav`, wav(wave!)]);
  return { blob: await zipped(files), name: `${name}.zip`, source: "sounds", decoded: true, colour: false, notes };
}
