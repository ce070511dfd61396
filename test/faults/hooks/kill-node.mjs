// Kills Node right before a chosen rename, once. DICTLEARN_FAULT: as in sitecustomize.py, with the victim "manifest".
import fs from "node:fs";

const fault = JSON.parse(process.env.DICTLEARN_FAULT ?? "null");
const rename = fs.rename;
let seen = 0;

if (fault?.victim === "manifest") {
  fs.rename = (from, to, done) => {
    if (new RegExp(`/(?:${fault.name})$`).test(to) && !fs.existsSync(fault.marker)) {
      seen += 1;
      if (seen === fault.nth) {
        fs.writeFileSync(fault.marker, "");
        process.kill(process.pid, "SIGKILL");
      }
    }
    rename(from, to, done);
  };
}
