package io.ambo.node.fastpath;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.time.Clock;
import io.ambo.node.packet.PacketBuilder;
import io.ambo.node.sys.Bpf;
import io.ambo.node.sys.Libc;
import io.ambo.node.sys.NetworkNamespace;
import io.ambo.node.sys.SysException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The program pinned in a bpffs: what a process leaves there, and what the next one makes of it. */
@SuppressWarnings("NullAway.Init")
class PinnedProgramTest {
    private static final int LOOPBACK = 1, PORT = 3;
    private static final long MAC = 0x02_00_00_00_00_0AL;
    private static final XdpProgram.ModeChoice MODE = XdpProgram.ModeChoice.GENERIC_ONLY;

    private NetworkNamespace namespace;
    private Path mount;
    private Path pins;

    @BeforeEach
    void mountAFileSystem() throws Exception {
        namespace = NetworkNamespace.create();
        mount = Files.createTempDirectory("ambo-pins");
        assertThat(new ProcessBuilder("mount", "-t", "bpf", "ambo-test", mount.toString()).inheritIO().start().waitFor()).isZero();
        pins = mount.resolve("ambo");
    }

    @AfterEach
    void unmountIt() throws Exception {
        if (mount != null) {
            new ProcessBuilder("umount", mount.toString()).start().waitFor();
            Files.delete(mount);
        }
        if (namespace != null) namespace.close();
    }

    @Test
    void aProcessThatEndsLeavesAllToTheNext() throws Exception {
        SessionKey key = new SessionKey();
        PacketBuilder packet = PacketBuilder.udp4().macs(MAC, 1).payload(20);
        packet.parsed().writeKey(key, 0);
        SessionRecord session = new SessionRecord().incarnation(1, 7, 1).timeoutMs(60_000).lastSeenMs(Clock.SYSTEM.monotonicMs());
        inNamespace(() -> {
            XdpProgram first = XdpProgram.open(pins, 64);
            assertThat(first.isAdopted()).isFalse();
            first.setInterfaces(List.of(new XdpProgram.Interface(LOOPBACK, LOOPBACK, -1)));
            first.attach(LOOPBACK, PORT, MAC, MODE);
            first.setLocalAddresses(addresses("192.0.2.1", "2001:db8::1"));
            first.forwardUntil(Long.MAX_VALUE);
            first.setGate(true);
            first.flowCache().newAccess().install(key, session);
            Bpf.testRun(first.programFd(), packet.bytes(), 1);
            assertThat(first.counter(XdpCounter.PUNTED) + first.counter(XdpCounter.PUNTED_NEXT_HOP)
                    + first.counter(XdpCounter.DROPPED_NO_SOCKET))
                    .isEqualTo(1);
            first.close();
        });
        assertThat(attached()).contains("xdpgeneric");
        inNamespace(() -> {
            try (XdpProgram second = XdpProgram.open(pins, 64)) {
                assertThat(second.isAdopted()).isTrue();
                assertThat(second.isGateOpen()).isFalse();
                assertThat(second.counter(XdpCounter.DROPPED_NO_SOCKET)).as("counters go on").isEqualTo(1);
                assertThat(second.flowCache().newAccess().refresh(key, session)).as("the flow is there").isTrue();
                String before = programOnLoopback();
                assertThat(second.attach(LOOPBACK, PORT, MAC, MODE)).isEqualTo(XdpProgram.Mode.GENERIC);
                assertThat(programOnLoopback()).as("swapped").isNotEqualTo(before);
                second.setLocalAddresses(addresses("192.0.2.2"));
                second.releaseUnclaimed();
                second.remove();
            }
        });
        assertThat(attached()).doesNotContain("xdp");
        assertThat(pins).doesNotExist();
    }

    @Test
    void anInterfaceThatIsNoneAnyMoreIsLetGo() throws Exception {
        inNamespace(() -> {
            leaveAttached();
            try (XdpProgram second = XdpProgram.open(pins, 64)) {
                second.releaseUnclaimed();
                assertThat(attached()).doesNotContain("xdp");
            }
        });
    }

    @Test
    void anotherLayoutIsRefusedAndLeftAlone() throws Exception {
        inNamespace(() -> {
            leaveAttached();
            pretendAnotherVersion();
            String before = programOnLoopback();
            assertThatThrownBy(() -> XdpProgram.open(pins, 64)).isInstanceOf(SysException.class).hasMessageContaining("another version")
                    .hasMessageContaining("rm -r " + pins);
            assertThat(programOnLoopback()).isEqualTo(before);
        });
    }

    @Test
    void anotherSizeOfTheCacheWaitsForAStop() throws Exception {
        inNamespace(() -> {
            XdpProgram.open(pins, 64).close();
            try (XdpProgram second = XdpProgram.open(pins, 128)) {
                assertThat(second.isAdopted()).isTrue();
            }
        });
    }

    @Test
    void whatAStartThatWasCutShortHasLeftIsSweptAway() throws Exception {
        inNamespace(() -> {
            leaveAttached();
            Files.delete(pins.resolve("program"));
            try (XdpProgram second = XdpProgram.open(pins, 64)) {
                assertThat(second.isAdopted()).isFalse();
                assertThat(attached()).doesNotContain("xdp");
            }
        });
    }

    @Test
    void aDirectoryOfAnotherFileSystemIsRefusedWithTheRemedy() throws Exception {
        Path elsewhere = Files.createTempDirectory("ambo-no-pins");
        try {
            assertThatThrownBy(() -> XdpProgram.open(elsewhere, 64)).isInstanceOf(SysException.class).hasMessageContaining("mount -t bpf");
        } finally {
            Files.delete(elsewhere);
        }
    }

    private void pretendAnotherVersion() {
        int settings = Bpf.open(pins.resolve("map-settings").toString());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(24, 8);
            value.set(ValueLayout.JAVA_INT, 0, 4711);
            assertThat(Bpf.update(settings, arena.allocate(4), value, Bpf.ANY)).isZero();
        } finally {
            Libc.close(settings);
        }
    }

    private String attached() { return namespace.exec("ip", "-d", "link", "show", "dev", "lo"); }

    private String programOnLoopback() {
        String shown = attached();
        return shown.substring(shown.indexOf("prog/xdp"), shown.indexOf("prog/xdp") + 20);
    }

    private static Set<InetAddress> addresses(String... texts) {
        return java.util.Arrays.stream(texts).map(InetAddress::ofLiteral).collect(java.util.stream.Collectors.toSet());
    }

    /** What may throw. */
    private interface Task {
        void run() throws Exception;
    }

    private void inNamespace(Task task) throws Exception {
        namespace.call(() -> {
            task.run();
            return null;
        });
    }

    /** As a process that ends without taking anything down. */
    private void leaveAttached() {
        XdpProgram first = XdpProgram.open(pins, 64);
        first.attach(LOOPBACK, PORT, MAC, MODE);
        first.close();
    }
}
