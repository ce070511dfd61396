export { AutoEncoder, type AutoEncoderOptions, type AutoEncoderShape, type Dtype } from "./auto-encoder.ts";
export type { Matrix, MatrixInput } from "./matrix.ts";
