package io.ambo.node;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class TableMemoryTest {
    private static final List<String> MOUNTS = List.of("21 1 254:0 / / rw,relatime - ext4 /dev/vda rw",
            "24 21 0:21 / /dev/shm rw,nosuid shared:4 - tmpfs tmpfs rw,inode64",
            "30 21 0:30 / /run/ambo rw - tmpfs ambo rw,huge=within_size,size=1g",
            "31 21 0:31 / /run/with\\040space rw master:1 shared:2 - tmpfs ambo rw,huge=always",
            "32 21 0:32 / /run/asks rw - tmpfs ambo rw,huge=advise", "a line that nobody understands");

    @Test
    void smallPagesAreNamedWithTheRemedy() {
        assertThat(TableMemory.advice(Path.of("/dev/shm/ambo"), MOUNTS)).contains("/dev/shm has small pages").contains("huge=within_size");
        assertThat(TableMemory.advice(Path.of("/run/asks/ambo"), MOUNTS)).as("who advises?").contains("small pages");
    }

    @Test
    void largePagesAreNothingToSpeakOf() {
        assertThat(TableMemory.advice(Path.of("/run/ambo/table"), MOUNTS)).isNull();
        assertThat(TableMemory.advice(Path.of("/run/with space"), MOUNTS)).isNull();
    }

    @Test
    void aDiskIsNamed() { assertThat(TableMemory.advice(Path.of("/var/lib/ambo"), MOUNTS)).contains("no tmpfs"); }

    @Test
    void aMountThatHidesAnotherCounts() {
        List<String> hidden = List.of(MOUNTS.get(0), MOUNTS.get(1), "40 24 0:40 / /dev/shm rw - tmpfs tmpfs rw,huge=always");
        assertThat(TableMemory.advice(Path.of("/dev/shm/ambo"), hidden)).isNull();
    }
}
