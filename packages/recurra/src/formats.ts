/** Files of models as plain values, which `recurra` loads on demand: codecs by their names (`readSafetensors`, `decodeOnnx`), `sniffFormat`, the table of formats. */
export * from '@recurra/formats';
