package io.ambo.node.config;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;

/** Reads a configuration file whole and checks it whole. */
public final class ConfigLoader {
    /** Far more than any rule set needs; what is larger is some other file. */
    private static final int SIZE_MAX_BYTES = 4 << 20;

    private ConfigLoader() {}

    /** Never throws: whatever is wrong with the file, or with reading it, is a problem. */
    public static Loaded load(Path file, HostFacts host) {
        Reading reading = new Reading(file.toString());
        String text = readText(file, reading);
        return text == null ? new Loaded.Refused(reading.problems()) : parse(text, host, reading);
    }

    /**
     * The same for text that is no file.
     *
     * @param file what to call it in problems
     */
    public static Loaded parse(String file, String text, HostFacts host) { return parse(text, host, new Reading(file)); }

    static Loaded parse(String text, HostFacts host, Reading reading) {
        Node root = Yaml.compose(text, reading);
        if (root == null) return new Loaded.Refused(reading.problems());
        if (!(root instanceof MappingNode map)) {
            reading.problem(Yaml.line(root), "", "", "does not begin with keys", "start from the example that comes with Ambo, ambo.yml");
            return new Loaded.Refused(reading.problems());
        }
        Config config = new ConfigReader(reading).read(new Section(reading, "", map, Yaml.line(map)));
        Config complete = withKernelVlans(config, host);
        new ConfigChecks(complete, host, reading).run();
        return reading.isClean() ? new Loaded.Accepted(complete) : new Loaded.Refused(reading.problems());
    }

    /** What the config leaves out of a VLAN interface, the kernel knows. */
    private static Config withKernelVlans(Config config, HostFacts host) {
        List<InterfaceConfig> interfaces = new ArrayList<>();
        for (InterfaceConfig each : config.interfaces()) {
            HostFacts.HostInterface actual = host.interfaces().get(each.name());
            boolean silent = each.parent().isEmpty() && each.vlan() < 0;
            interfaces.add(silent && actual != null && !actual.parent().isEmpty() && actual.vlan() >= 0
                    ? new InterfaceConfig(each.name(), each.zone(), actual.parent(), actual.vlan())
                    : each);
        }
        return config.withInterfaces(interfaces);
    }

    private static @Nullable String readText(Path file, Reading reading) {
        try {
            if (Files.isDirectory(file)) {
                reading.problem(0, "", "", "is a directory", "name the file");
                return null;
            }
            byte[] bytes;
            try (var in = Files.newInputStream(file)) {
                bytes = in.readNBytes(SIZE_MAX_BYTES + 1);
            }
            if (bytes.length > SIZE_MAX_BYTES) {
                reading.problem(0, "", "", "is larger than " + Units.sizeText(SIZE_MAX_BYTES), "is this the right file?");
                return null;
            }
            String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
            return text.startsWith("\uFEFF") ? text.substring(1) : text;
        } catch (NoSuchFileException e) {
            reading.problem(0, "", "", "no such file", "start from the example that comes with Ambo, ambo.yml");
        } catch (AccessDeniedException e) {
            reading.problem(0, "", "", "may not be read by this user", "run as root, or change its mode");
        } catch (CharacterCodingException e) {
            reading.problem(0, "", "", "is no UTF-8 text", "save it as UTF-8");
        } catch (IOException e) {
            reading.problem(0, "", "", "cannot be read: " + e.getMessage(), "");
        }
        return null;
    }
}
