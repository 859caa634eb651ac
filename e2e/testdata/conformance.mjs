// Lets the official suite of conformance start under Node 20, which has no fs.globSync. The suite imports it
// for another command than those that test servers.
import fs from "node:fs";
import { register } from "node:module";

const withGlob = "data:text/javascript," + encodeURIComponent(
  'export * from "node:fs"; export { default } from "node:fs"; export const globSync = undefined;',
);
const hooks = `export const resolve = (specifier, context, next) =>
  specifier === "fs" && context.parentURL?.includes("/conformance/dist/")
    ? { url: ${JSON.stringify(withGlob)}, shortCircuit: true }
    : next(specifier, context);`;
if (!fs.globSync) register("data:text/javascript," + encodeURIComponent(hooks));
