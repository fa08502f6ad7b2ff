// What Trunk calls after a build: a release is made smaller, then made to work offline, and then the npm package is made of it.
import { offline } from "./offline.mjs";
import { pack } from "./package.mjs";
import { shrink } from "./shrink.mjs";

if (process.env.TRUNK_PROFILE === "release") {
  const folder = process.env.TRUNK_STAGING_DIR;
  await shrink(folder);
  offline(folder);
  await pack(folder);
}
