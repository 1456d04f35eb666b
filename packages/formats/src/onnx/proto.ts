/**
 * The messages of ONNX, as far as an inference graph needs them: field numbers and types of the specification (onnx.proto, IR version 8), as data.
 * Fields that are not here are skipped in reading: a graph within a graph among them, so that nothing nests.
 */
import { create, createFileRegistry, type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';
import { FormatError } from '@recurra/tensor';

/** Types of elements (`TensorProto.DataType`). */
export const DATA_TYPES = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
} as const;

/** Types of attributes (`AttributeProto.AttributeType`). */
export const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7, strings: 8 } as const;

export interface EntryProto {
  readonly key: string;
  readonly value: string;
}

export interface TensorProto {
  readonly dims: readonly bigint[];
  readonly dataType: number;
  readonly floatData: readonly number[];
  readonly int32Data: readonly number[];
  readonly int64Data: readonly bigint[];
  readonly doubleData: readonly number[];
  readonly uint64Data: readonly bigint[];
  readonly name: string;
  readonly rawData: Uint8Array;
  readonly externalData: readonly EntryProto[];
  /** 1: in a file beside this one. */
  readonly dataLocation: number;
}

export interface AttributeProto {
  readonly name: string;
  readonly type: number;
  readonly f: number;
  readonly i: bigint;
  readonly s: Uint8Array;
  readonly t?: TensorProto;
  readonly floats: readonly number[];
  readonly ints: readonly bigint[];
  readonly strings: readonly Uint8Array[];
  /** In functions: the attribute of the function that it stands for. */
  readonly refAttrName: string;
}

export interface NodeProto {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  readonly attribute: readonly AttributeProto[];
}

export interface DimensionProto {
  readonly dimValue: bigint;
  readonly dimParam: string;
}

export interface ValueInfoProto {
  readonly name: string;
  readonly type?: {
    readonly tensorType?: { readonly elemType: number; readonly shape?: { readonly dim: readonly DimensionProto[] } };
  };
}

export interface GraphProto {
  readonly node: readonly NodeProto[];
  readonly name: string;
  readonly initializer: readonly TensorProto[];
  readonly sparseInitializer: readonly unknown[];
  readonly input: readonly ValueInfoProto[];
  readonly output: readonly ValueInfoProto[];
}

export interface ModelProto {
  readonly irVersion: bigint;
  readonly producerName: string;
  readonly producerVersion: string;
  readonly graph?: GraphProto;
  readonly opsetImport: readonly { readonly domain: string; readonly version: bigint }[];
  readonly metadataProps: readonly EntryProto[];
  readonly functions: readonly unknown[];
}

const { INT64, INT32, UINT64, STRING, BYTES, FLOAT, DOUBLE, MESSAGE } = FieldDescriptorProto_Type;

/** A field: its number, type, and `[]` for a list (`packed` where the specification packs it), or the message that it holds. */
type Field = readonly [number: number, type: FieldDescriptorProto_Type | string, list?: 'list' | 'packed'];

const MESSAGES: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
  StringStringEntryProto: { key: [1, STRING], value: [2, STRING] },
  TensorProto: {
    dims: [1, INT64, 'list'],
    data_type: [2, INT32],
    float_data: [4, FLOAT, 'packed'],
    int32_data: [5, INT32, 'packed'],
    int64_data: [7, INT64, 'packed'],
    name: [8, STRING],
    raw_data: [9, BYTES],
    double_data: [10, DOUBLE, 'packed'],
    uint64_data: [11, UINT64, 'packed'],
    external_data: [13, 'StringStringEntryProto', 'list'],
    data_location: [14, INT32],
  },
  SparseTensorProto: {},
  AttributeProto: {
    name: [1, STRING],
    f: [2, FLOAT],
    i: [3, INT64],
    s: [4, BYTES],
    t: [5, 'TensorProto'],
    floats: [7, FLOAT, 'list'],
    ints: [8, INT64, 'list'],
    strings: [9, BYTES, 'list'],
    type: [20, INT32],
    ref_attr_name: [21, STRING],
  },
  NodeProto: {
    input: [1, STRING, 'list'],
    output: [2, STRING, 'list'],
    name: [3, STRING],
    op_type: [4, STRING],
    attribute: [5, 'AttributeProto', 'list'],
    domain: [7, STRING],
  },
  Dimension: { dim_value: [1, INT64], dim_param: [2, STRING] },
  TensorShapeProto: { dim: [1, 'Dimension', 'list'] },
  TensorTypeProto: { elem_type: [1, INT32], shape: [2, 'TensorShapeProto'] },
  TypeProto: { tensor_type: [1, 'TensorTypeProto'] },
  ValueInfoProto: { name: [1, STRING], type: [2, 'TypeProto'] },
  GraphProto: {
    node: [1, 'NodeProto', 'list'],
    name: [2, STRING],
    initializer: [5, 'TensorProto', 'list'],
    input: [11, 'ValueInfoProto', 'list'],
    output: [12, 'ValueInfoProto', 'list'],
    sparse_initializer: [15, 'SparseTensorProto', 'list'],
  },
  OperatorSetIdProto: { domain: [1, STRING], version: [2, INT64] },
  FunctionProto: {},
  ModelProto: {
    ir_version: [1, INT64],
    producer_name: [2, STRING],
    producer_version: [3, STRING],
    graph: [7, 'GraphProto'],
    opset_import: [8, 'OperatorSetIdProto', 'list'],
    metadata_props: [14, 'StringStringEntryProto', 'list'],
    functions: [25, 'FunctionProto', 'list'],
  },
};

const REPEATED = FieldDescriptorProto_Label.REPEATED;
const OPTIONAL = FieldDescriptorProto_Label.OPTIONAL;

/** Made at the first use: importing costs nothing. */
let modelSchema: DescMessage | undefined;

function schema(): DescMessage {
  if (modelSchema) return modelSchema;
  const file = create(FileDescriptorProtoSchema, {
    name: 'onnx.proto',
    package: 'onnx',
    syntax: 'proto2',
    messageType: Object.entries(MESSAGES).map(([name, fields]) => ({
      name,
      field: Object.entries(fields).map(
        ([field, [number, type, list]]): Partial<Omit<FieldDescriptorProto, '$typeName' | '$unknown' | 'options'>> & {
          options?: { packed: boolean };
        } => ({
          name: field,
          number,
          label: list ? REPEATED : OPTIONAL,
          ...(typeof type === 'string' ? { type: MESSAGE, typeName: `.onnx.${type}` } : { type }),
          ...(list === 'packed' ? { options: { packed: true } } : {}),
        }),
      ),
    })),
  });
  modelSchema = createFileRegistry(file, () => undefined).getMessage('onnx.ModelProto')!;
  return modelSchema;
}

/** The bytes of a model. */
export function writeModel(model: Readonly<Record<string, unknown>>): Uint8Array {
  return toBinary(schema(), create(schema(), model));
}

/** The bytes of a model's graph alone: equal for equal graphs. */
export function graphBytes(model: ModelProto): Uint8Array {
  return toBinary(schema(), create(schema(), { graph: model.graph } as never));
}

/** The model that bytes hold. Throws `FormatError` where they are none. */
export function readModel(bytes: Uint8Array): ModelProto {
  try {
    // What nests deeper than messages of ONNX do is not of interest.
    return fromBinary(schema(), bytes, {
      readUnknownFields: false,
      recursionLimit: 16,
    }) as unknown as ModelProto;
  } catch (error) {
    throw new FormatError(
      `ONNX: expected a model as protocol buffers, received ${bytes.length} bytes that are not (${error instanceof Error ? error.message : String(error)}). Is the file complete?`,
    );
  }
}
