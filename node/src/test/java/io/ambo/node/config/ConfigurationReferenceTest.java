package io.ambo.node.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.snakeyaml.engine.v2.nodes.MappingNode;

/** CONFIGURATION.md says what the loader does: each key, its default, and what a change of it needs. */
class ConfigurationReferenceTest {
    /** | `key` | type | default | change | meaning | */
    private static final Pattern ROW = Pattern.compile("\\| `([^`]+)` \\| ([^|]+) \\| ([^|]+) \\| (reload|restart) \\| .+ \\|");

    private record Row(String fallback, String change) {}

    @Test
    void everyKeyOfTheLoaderIsInTheReferenceAndNoOther() throws IOException {
        assertThat(reference().keySet()).containsExactlyInAnyOrderElementsOf(keysOfTheLoader());
    }

    @Test
    void theCatalogueHasEveryKeyOfTheLoader() throws IOException {
        Set<String> catalogue = new TreeSet<>(ConfigKey.IN_LISTS);
        ConfigKey.ALL.forEach(key -> catalogue.add(key.path()));
        assertThat(catalogue).containsExactlyInAnyOrderElementsOf(keysOfTheLoader());
    }

    @Test
    void defaultsAndChangesAreThoseOfTheLoader() throws IOException {
        Map<String, Row> reference = reference();
        Config config = ConfigLoaderTest.accepted(ConfigLoader.parse("c", ConfigLoaderTest.MINIMAL, new FakeHost()));
        List<String> wrong = new ArrayList<>();
        for (ConfigKey key : ConfigKey.ALL) {
            Row row = reference.getOrDefault(key.path(), new Row("", ""));
            String change = key.apply() == ConfigKey.Apply.RELOAD ? "reload" : "restart";
            if (!row.change.equals(change)) wrong.add(key.path() + " changes by " + change);
            String actual = key.text().apply(config);
            if (!row.fallback.equals("required") && !row.fallback.equals("none") && !row.fallback.equals("`" + actual + "`")) {
                wrong.add(key.path() + " has the default `" + actual + "`, not " + row.fallback);
            }
        }
        assertThat(wrong).isEmpty();
    }

    /** The keys that one reading of the example asks for, those that hold other keys left out. */
    private static Set<String> keysOfTheLoader() throws IOException {
        Reading reading = new Reading("c");
        String example = Files.readString(Path.of("src/main/dist/ambo.yml"));
        MappingNode root = (MappingNode) java.util.Objects.requireNonNull(Yaml.compose(example, reading));
        new ConfigReader(reading).read(new Section(reading, "", root, 1));
        Set<String> keys = new TreeSet<>(reading.asked());
        keys.removeIf(key -> reading.asked().stream().anyMatch(other -> other.startsWith(key + ".") || other.startsWith(key + "[")));
        return keys;
    }

    private static Map<String, Row> reference() throws IOException {
        Map<String, Row> rows = new LinkedHashMap<>();
        for (String line : Files.readAllLines(Path.of("CONFIGURATION.md"))) {
            Matcher matcher = ROW.matcher(line);
            if (matcher.matches()) rows.put(matcher.group(1), new Row(matcher.group(3), matcher.group(4)));
        }
        return rows;
    }
}
