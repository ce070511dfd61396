export { Bridge, type BridgeOptions, openBridge, type PythonProxy, type PythonValue } from "./bridge.ts";
