// The browsers by name. Opening one gives one page of it with the same few methods, whatever drives it:
//   errors                     what it has written to the console as an error, so far
//   goto(url)                  resolves when the document is loaded
//   evaluate(script, ...args)  runs a function in the page, waits for it, returns what it returned
//   click(selector)            as a mouse does
//   drag(points)               presses at the first point, moves on to the others, lets go; points are [x, y] in the viewport
//   screenshot(path)           a PNG of the viewport
//   close()
import { openChromium, openFirefox } from "./puppeteer.mjs";
import { openWebKit } from "./webkit.mjs";

export const ENGINES = { chromium: openChromium, firefox: openFirefox, webkit: openWebKit };
