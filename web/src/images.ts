// Pictures of a person's own: decoded and made small by the browser, packed as the arrays that the source `images` reads. Files that hold arrays already
// are packed as they are.
import { base, classes, eachOf, isHeldOut, quoted, zipped, type Found, type Packed, type Tell } from "./found";

/** The middle of a picture: `side` × `side` pixels of red, green and blue. */
interface Square { side: number; pixels: Uint8ClampedArray }

/** Most bytes of one picture. */
const LARGEST = 128 << 20;
/** Pictures are kept in this size, and many of them in the smaller one. */
const [FINE, COARSE, MANY] = [128, 64, 2000];
/** Files of more bytes are made smaller while they are decoded. */
const HEAVY = 1 << 20;

const PICTURE = /\.(jpe?g|png|gif|webp|bmp|avif|heic|heif|tiff?|ico)$/i;
const ARRAY = /(\.npy|\.npz|\.idx|ubyte)(\.gz)?$/i;

export const isPicture = ([path, file]: Found) => file.type.startsWith("image/") || PICTURE.test(path);
/** Whether a file of an archive may be wanted. */
export const mayBePicture = (path: string) => PICTURE.test(path) || ARRAY.test(path);

/** The middle of a picture as the browser decodes it: turned as the camera was held, on white where it is transparent. */
async function decode(file: Blob, most: number): Promise<Square> {
  // A photograph of 50 megapixels needs a few hundred megabytes only while it is decoded.
  const options: ImageBitmapOptions = { imageOrientation: "from-image" };
  if (file.size > HEAVY) Object.assign(options, { resizeHeight: 4 * most, resizeQuality: "high" });
  const bitmap = await createImageBitmap(file, options);
  try {
    const whole = Math.min(bitmap.width, bitmap.height);
    const side = Math.min(whole, most);
    const context = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true })!;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, side, side);
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, (bitmap.width - whole) / 2, (bitmap.height - whole) / 2, whole, whole, 0, 0, side, side);
    return { side, pixels: rgb(context.getImageData(0, 0, side, side).data) };
  } finally {
    bitmap.close();
  }
}

/** Pixels without their opacity. */
function rgb(rgba: Uint8ClampedArray): Uint8ClampedArray {
  const pixels = new Uint8ClampedArray((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    pixels[to++] = rgba[from]!;
    pixels[to++] = rgba[from + 1]!;
    pixels[to++] = rgba[from + 2]!;
  }
  return pixels;
}

/** A square in another size. */
function resized({ side, pixels }: Square, wanted: number): Uint8ClampedArray {
  if (side === wanted) return pixels;
  const rgba = new ImageData(side, side);
  for (let from = 0, to = 0; from < pixels.length; ) {
    rgba.data[to++] = pixels[from++]!;
    rgba.data[to++] = pixels[from++]!;
    rgba.data[to++] = pixels[from++]!;
    rgba.data[to++] = 255;
  }
  const small = new OffscreenCanvas(side, side);
  small.getContext("2d")!.putImageData(rgba, 0, 0);
  const context = new OffscreenCanvas(wanted, wanted).getContext("2d", { willReadFrequently: true })!;
  context.drawImage(small, 0, 0, wanted, wanted);
  return rgb(context.getImageData(0, 0, wanted, wanted).data);
}

/** An array as NumPy writes it. */
function npy(kind: string, shape: number[], values: Uint8Array): Blob {
  const header = `{'descr': '${kind}', 'fortran_order': False, 'shape': (${shape.map((n) => `${n}, `).join("")}), }`;
  const padded = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n";
  const magic = new Uint8Array([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length & 255, padded.length >> 8]);
  return new Blob([magic, padded, values as Uint8Array<ArrayBuffer>]);
}

/** Decodes pictures, a few at a time. */
async function decoded(pictures: Found[], tell: Tell): Promise<[Square | undefined, number][]> {
  const most = pictures.length > MANY ? COARSE : FINE;
  const squares: [Square | undefined, number][] = [];
  await eachOf(pictures, tell, async (file, i) => {
    squares[i] = [file.size > LARGEST ? undefined : await decode(file, most).catch(() => undefined), i];
  });
  return squares;
}

/** Pictures as a set of arrays. */
export async function packPictures(pictures: Found[], name: string, tell: Tell, notes: string[]): Promise<Packed> {
  const all = classes(pictures.map(([path]) => path), "pictures");
  const squares = await decoded(pictures, tell);
  const unread = squares.filter(([square]) => !square).map(([, i]) => base(pictures[i]![0]));
  const good = squares.filter((found): found is [Square, number] => !!found[0]);
  if (!good.length) throw new Error(`No picture could be read: ${quoted(unread)}. JPEG, PNG, WebP, GIF and BMP can be; save them as one of these.`);
  if (unread.length) notes.push(`${unread.length} of ${pictures.length} files are no pictures that this browser can read, and are left out: ${quoted(unread)}.`);
  const names = [...new Set(good.map(([, i]) => all[i]!))].sort();
  if (names.length < 2) throw new Error(`All pictures are of the class "${names[0]}", so there is nothing to tell apart. Put each class into a folder of its own, and drop the folders together.`);
  const side = good.reduce((most, [square]) => Math.max(most, square.side), 1);
  let colour = false;
  const part = (held: boolean): Found[] => {
    const some = good.filter(([, i]) => isHeldOut(pictures[i]![0]) === held);
    if (!some.length) return [];
    const pixels = new Uint8Array(some.length * side * side * 3);
    some.forEach(([square], i) => pixels.set(resized(square, side), i * side * side * 3));
    for (let i = 0; i < pixels.length && !colour; i += 3) colour = pixels[i] !== pixels[i + 1] || pixels[i] !== pixels[i + 2];
    const labels = new Int32Array(some.map(([, i]) => names.indexOf(all[i]!)));
    const suffix = held ? "_test" : "";
    return [
      [`x${suffix}.npy`, npy("|u1", [some.length, side, side, 3], pixels)],
      [`y${suffix}.npy`, npy("<i4", [some.length], new Uint8Array(labels.buffer))],
    ];
  };
  const blob = await zipped([...part(false), ...part(true), ["classes.txt", new Blob([names.map((n) => n.replace(/\s+/g, " ") + "\n").join("")])]]);
  return { blob, name: `${name}.npz`, source: "images", decoded: true, colour, notes };
}

/** Files that hold arrays, as they are. */
export async function packArrays(files: Found[], name: string, notes: string[]): Promise<Packed> {
  const set = { source: "images" as const, decoded: false, colour: false, notes };
  const [path, file] = files[0]!;
  // What it holds says its reader.
  if (files.length === 1 && /\.npz$/i.test(path)) return { ...set, blob: file, name: base(path) };
  return { ...set, blob: await zipped(files), name: `${name}.zip` };
}
