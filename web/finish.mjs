// What Trunk calls after a build.
import { release } from "./release.mjs";

if (process.env.TRUNK_PROFILE === "release") await release(process.env.TRUNK_STAGING_DIR);
