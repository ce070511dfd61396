export { Handle } from "../../worker/index.ts";
export { Bridge, type BridgeOptions, openBridge, type PythonProxy, type PythonValue } from "./bridge.ts";
