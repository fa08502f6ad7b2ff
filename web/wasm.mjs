// The wasm format, as far as making it smaller needs it: numbers, names, and a file as a list of sections.

/** Kinds of sections. */
export const CUSTOM = 0;
export const IMPORTS = 2;
export const FUNCTIONS = 3;
export const EXPORTS = 7;
export const START = 8;
export const ELEMENTS = 9;
export const CODE = 10;
export const DATA = 11;
export const DATA_COUNT = 12;
/** Within the section of names. */
export const FUNCTION_NAMES = 1;
/** The magic number and the version. */
const HEAD = Buffer.from([0, 97, 115, 109, 1, 0, 0, 0]);

/** Numbers and names of the wasm format, read one after the other. */
export class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }
  get done() {
    return this.at >= this.bytes.length;
  }
  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  }
  take(length) {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
  name() {
    return Buffer.from(this.take(this.number())).toString();
  }
  /** What an import is: a function, a table, a memory, a global, or a tag. */
  type() {
    const from = this.at;
    const limits = () => {
      const most = this.number() & 1;
      this.number();
      if (most) this.number();
    };
    const kind = this.number();
    if (kind === 0) this.number();
    else if (kind === 1) this.number(), limits();
    else if (kind === 2) limits();
    else this.at += 2;
    return this.bytes.subarray(from, this.at);
  }
}

/** A number, seven bits a byte. */
export function number(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value & 127) | 128);
  return Buffer.from([...bytes, value]);
}

/** Bytes behind their number. */
export const sized = (bytes) => Buffer.concat([number(bytes.length), bytes]);
export const name = (text) => sized(Buffer.from(text));

/** A file's sections: kind and bytes of each. */
export function* sections(wasm) {
  const reader = new Reader(wasm, HEAD.length);
  while (!reader.done) {
    const [kind] = reader.take(1);
    yield [kind, reader.take(reader.number())];
  }
}

/** What `read` makes of each member of a section. */
export function list(section, read) {
  const reader = new Reader(section);
  return Array.from({ length: reader.number() }, () => read(reader));
}

/** A file of sections. */
export const join = (sections) => Buffer.concat([HEAD, ...sections.flatMap(([kind, bytes]) => [Buffer.from([kind]), sized(bytes)])]);
