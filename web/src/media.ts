// A person's own pictures and sounds, loaded when the first ones come in: files, folders and zips become one file of a set, and camera and microphone
// make more of them.
import { base, isHidden, MOST_UNPACKED, quoted, unzip, walk, type Found, type Packed, type Tell } from "./found";
import { isPicture, mayBePicture, packArrays, packPictures } from "./images";
import { isSound, mayBeSound, packSounds } from "./sounds";

export { open } from "./capture";

/**
 * Makes one file of a set out of files, what was dropped, or what was recorded under a path. What is wrong is thrown as a sentence; an empty one says
 * that it was stopped.
 */
export async function gather(files: (File | Found)[], entries: FileSystemEntry[], tell: Tell): Promise<Packed> {
  const chosen: Found[] = files.map((file) => (Array.isArray(file) ? file : [file.webkitRelativePath || file.name, file]));
  const dropped = entries.length ? await walk(entries) : chosen;
  const [notes, found]: [string[], Found[]] = [[], []];
  const room = { left: MOST_UNPACKED };
  const wanted = (path: string) => mayBePicture(path) || mayBeSound(path);
  for (const [path, file] of dropped) {
    if (isHidden(path)) continue;
    if (/\.zip$/i.test(path)) found.push(...(await unzip(base(path), file, wanted, room)));
    else found.push([path, file]);
  }
  const name = nameOf(dropped.map(([path]) => path));
  const [pictures, sounds] = [found.filter(isPicture), found.filter(isSound)];
  const taken = sounds.length > pictures.length ? sounds : pictures;
  const others = found.filter((one) => !taken.includes(one));
  if (!taken.length) {
    if (others.length) return packArrays(others, name || "pictures", notes);
    throw new Error(`There is no picture and no sound in ${name ? `"${name}"` : "these files"}. Choose some, folders or a zip of them, or arrays of pictures.`);
  }
  if (others.length) notes.push(`Left out as something else: ${quoted(others.map(([path]) => base(path)))}.`);
  return taken === sounds ? packSounds(sounds, name || "sounds", tell, notes) : packPictures(pictures, name || "pictures", tell, notes);
}

/** What files are called together: the only one of them, or the folder that all lie in. */
function nameOf(paths: string[]): string {
  const tops = new Set(paths.map((path) => path.split("/")[0]!));
  const isOne = paths.length === 1 || (tops.size === 1 && paths[0]!.includes("/"));
  return isOne ? (paths.length === 1 ? base(paths[0]!) : [...tops][0]!).replace(/\.\w+$/, "") : "";
}
