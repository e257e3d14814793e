package io.ambo.node.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class UnitsTest {
    @ParameterizedTest
    @CsvSource({ "10ms, 10000000", "500us, 500000", "2h, 7200000000000", "1d, 86400000000000", "0s, 0", "3 m, 180000000000",
            "90s, 90000000000" })
    void durationsAreReadAndWritten(String text, long ns) throws Units.FormatException {
        assertThat(Units.parseDuration(text)).isEqualTo(ns);
        assertThat(Units.parseDuration(Units.durationText(ns))).isEqualTo(ns);
    }

    @ParameterizedTest
    @CsvSource({ "64MiB, 67108864", "1GiB, 1073741824", "4KiB, 4096", "7B, 7" })
    void sizesAreReadAndWritten(String text, long bytes) throws Units.FormatException {
        assertThat(Units.parseSize(text)).isEqualTo(bytes);
        assertThat(Units.sizeText(bytes)).isEqualTo(text);
    }

    @Test
    void digitsMayBeGrouped() throws Units.FormatException {
        assertThat(Units.parseCount("1_000_000")).isEqualTo(1_000_000);
        assertThatThrownBy(() -> Units.parseCount("1_0")).isInstanceOf(Units.FormatException.class);
        assertThatThrownBy(() -> Units.parseCount("")).isInstanceOf(Units.FormatException.class);
        assertThatThrownBy(() -> Units.parseCount("\u0663")).isInstanceOf(Units.FormatException.class);
    }

    @Test
    void theShortestExactFormIsWritten() {
        assertThat(Units.durationMsText(7_200_000)).isEqualTo("2h");
        assertThat(Units.durationMsText(90_000)).isEqualTo("90s");
        assertThat(Units.durationMsText(1500)).isEqualTo("1500ms");
    }
}
