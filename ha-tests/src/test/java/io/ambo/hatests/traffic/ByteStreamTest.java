package io.ambo.hatests.traffic;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ByteStreamTest {
    private final ByteStream stream = new ByteStream(7);

    @Test
    void whatIsInOrderIsRight() {
        byte[] bytes = new byte[1000];
        stream.fill(bytes, 12_345);
        assertThat(stream.mismatch(bytes, bytes.length, 12_345)).isEqualTo(-1);
    }

    @Test
    void aLostByteADoubledOneAndAnotherStreamShow() {
        byte[] bytes = new byte[1000];
        stream.fill(bytes, 500);
        assertThat(stream.mismatch(bytes, bytes.length, 501)).isNotEqualTo(-1);
        assertThat(stream.mismatch(bytes, bytes.length, 499)).isNotEqualTo(-1);
        assertThat(new ByteStream(8).mismatch(bytes, bytes.length, 500)).isNotEqualTo(-1);
    }
}
