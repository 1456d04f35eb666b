import { segmentWords, TextVectorization } from 'recurra';

/** Which words have which ids: 0 is padding, 1 any unknown word, then the known ones by falling frequency. In any language. */
export class Words {
  private readonly vectorization: TextVectorization;

  private constructor(vectorization: TextVectorization) {
    this.vectorization = vectorization;
  }

  private static options(maxIds: number | null) {
    return { maxTokens: maxIds, standardize: null, split: segmentWords };
  }

  /** The most frequent words of texts, `maxIds` ids at most. */
  static learn(texts: readonly string[], maxIds: number): Words {
    const vectorization = new TextVectorization(Words.options(maxIds));
    vectorization.adapt(texts);
    return new Words(vectorization);
  }

  /** Known words, in the order of their ids. Throws `ValueError` where one stands twice. */
  static of(list: readonly string[]): Words {
    return new Words(new TextVectorization({ ...Words.options(null), vocabulary: list }));
  }

  /** The number of ids. */
  get size(): number {
    return this.vectorization.vocabularySize;
  }

  /** The known words, in the order of their ids. */
  list(): string[] {
    return this.vectorization.getVocabulary(false);
  }

  /** The ids of the words of texts. */
  ids(texts: readonly string[]): number[][] {
    return this.vectorization.callRagged(texts);
  }
}
