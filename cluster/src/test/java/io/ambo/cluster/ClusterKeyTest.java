package io.ambo.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class ClusterKeyTest {
    private static final String ONE = "0123456789abcdef0123456789abcdef", TWO = "fedcba9876543210fedcba9876543210";

    private static ClusterKey key(String content) { return ClusterKey.of(content.getBytes(StandardCharsets.US_ASCII)); }

    @Test
    void eachLineIsAKeyAndTheFirstOneSeals() {
        ClusterKey both = key("# since 2026-11\n" + ONE + " \n\n\t" + TWO + "\r\n");
        assertThat(both.count()).isEqualTo(2);
        assertThat(both.derive(new byte[4], "test", 16)).isEqualTo(key(ONE).derive(new byte[4], "test", 16));
        assertThat(both.derive(1, new byte[4], "test", 16)).isEqualTo(key(TWO).derive(new byte[4], "test", 16));
        assertThat(both.fingerprints()).containsExactly(key(ONE).fingerprints().getFirst(), key(TWO).fingerprints().getFirst());
        assertThat(both.fingerprints().getFirst()).matches("[0-9a-f]{8}");
    }

    @Test
    void badFilesAreErrorsThatNameTheLine() {
        assertThatThrownBy(() -> key("\n# nothing\n")).hasMessageStartingWith("the key file holds no key");
        assertThatThrownBy(() -> key(ONE + "\nshort\n"))
                .hasMessageStartingWith("line 2 of the key file holds a key of 5 bytes, 32 are needed");
        assertThatThrownBy(() -> key((ONE + "\n").repeat(5))).hasMessage("the key file holds 5 keys, one on each line; 4 are allowed");
        assertThatThrownBy(() -> key("x".repeat(ClusterKey.LONGEST + 1))).hasMessageContaining("are allowed");
        assertThat(key(ONE).toString()).doesNotContain("0123");
    }
}
