package io.ambo.hatests.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class JsonTest {
    @Test
    void quotesControlCharactersAndNumbersAreWrittenAsTheStandardSays() {
        assertThat(Json.write(Map.of("a \"b\"\n", List.of(1, 2.5, true, Double.NaN, "\u0001"))))
                .isEqualTo("{\n  \"a \\\"b\\\"\\n\": [\n    1,\n    2.5,\n    true,\n    null,\n    \"\\u0001\"\n  ]\n}\n");
    }

    @Test
    void emptyOnesStayOnOneLine() { assertThat(Json.write(List.of(Map.of(), List.of()))).isEqualTo("[\n  {},\n  []\n]\n"); }
}
