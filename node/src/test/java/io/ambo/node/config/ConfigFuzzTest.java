package io.ambo.node.config;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Whatever the text: problems or a config, never an exception, and every problem on a line of its own. */
class ConfigFuzzTest {
    @FuzzTest(maxDuration = "20s")
    void anyTextIsAcceptedOrRefused(FuzzedDataProvider data) { judge(data.consumeRemainingAsString()); }

    @Test
    void theExampleWithAnyDamageIsAcceptedOrRefused() throws IOException {
        long seed = Long.getLong("ambo.seed", 20_261_123);
        System.out.println("seed " + seed + " (-Dambo.seed=" + seed + ")");
        Random random = new Random(seed);
        String example = Files.readString(Path.of("src/main/dist/ambo.yml"));
        String alphabet = "\n\t {}[]:,-!&*#'\"|>%@`?0aZ\u0000\u00e4\ud83d\udc4b";
        for (int i = 0; i < 3000; i++) {
            StringBuilder text = new StringBuilder(example);
            for (int damage = 1 + random.nextInt(4); damage > 0; damage--) {
                int at = random.nextInt(text.length());
                switch (random.nextInt(4)) {
                    case 0 -> text.deleteCharAt(at);
                    case 1 -> text.insert(at, alphabet.charAt(random.nextInt(alphabet.length())));
                    case 2 -> text.setCharAt(at, alphabet.charAt(random.nextInt(alphabet.length())));
                    default -> text.delete(at, Math.min(text.length(), at + random.nextInt(60)));
                }
            }
            judge(text.toString());
        }
    }

    private static void judge(String text) {
        if (ConfigLoader.parse("c", text, new FakeHost()) instanceof Loaded.Refused refused) {
            assertThat(refused.problems()).isNotEmpty().allSatisfy(problem -> assertThat(problem.toString()).doesNotContain("\n"));
        }
    }
}
