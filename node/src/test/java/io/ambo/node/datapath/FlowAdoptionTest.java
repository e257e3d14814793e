package io.ambo.node.datapath;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.session.ChronicleSessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.cluster.time.Clock;
import io.ambo.node.fastpath.FlowCache;
import io.ambo.node.fastpath.XdpProgram;
import io.ambo.node.packet.PacketBuilder;
import io.ambo.node.sys.NetworkNamespace;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a process that starts takes over from the kernel, which went on without one. */
@SuppressWarnings("NullAway.Init")
class FlowAdoptionTest {
    private static final int FOLLOWED = SessionRecord.ORIGINAL_FOLLOWED | SessionRecord.REPLY_FOLLOWED;
    private static final int WHOLE = SessionRecord.ORIGINAL_SEEN_HERE | SessionRecord.REPLY_SEEN_HERE | SessionRecord.COMPLETE;

    private final SessionKey key = new SessionKey();
    private final SessionRecord session = new SessionRecord();
    private final SessionRecord adopted = new SessionRecord();
    @TempDir
    private Path dir;
    private NetworkNamespace namespace;
    private XdpProgram program;
    private SessionTable table;
    private FlowCache.Access kernel;

    @BeforeEach
    void loadTheProgram() throws Exception {
        namespace = NetworkNamespace.create();
        program = namespace.call(() -> XdpProgram.load(64));
        kernel = program.flowCache().newAccess();
        table = ChronicleSessionTable.open(dir, 100, Clock.SYSTEM);
        PacketBuilder.parsed(PacketBuilder.tcp4().bytes()).writeKey(key, 0);
        session.incarnation(0, 100, 1).owner(1).zones(1, 2).rule(1).timeoutMs(60_000).lastSeenMs(Clock.SYSTEM.monotonicMs());
        for (TcpHalf half : new TcpHalf[]{ session.original(), session.reply() }) {
            half.raiseState(TcpHalf.ESTABLISHED);
            half.advanceSeqEnd(1000);
            half.advanceAck(1000);
        }
        session.localFlags(WHOLE | FOLLOWED | SessionRecord.CACHED);
        assertThat(kernel.install(key, session)).isEqualTo(FlowCache.Install.INSTALLED);
    }

    @AfterEach
    void end() throws Exception {
        if (table != null) table.close();
        if (program != null) program.close();
        if (namespace != null) namespace.close();
    }

    /** While nobody listened, a peer may have carried the flow far beyond: what the table and the kernel here know must not be taken for the newest. */
    @Test
    void noFlowCountsAsFollowedHereUntilTheKernelHasSeenMore() {
        table.insert(key, session.localFlags(WHOLE | FOLLOWED));
        assertThat(FlowKeeper.adopt(table, program.flowCache(), true)).isOne();
        assertThat(table.read(key, adopted)).isTrue();
        assertThat(adopted.localFlags() & FOLLOWED).isZero();
        assertThat(adopted.hasLocal(SessionRecord.CACHED)).isTrue();
    }

    @Test
    void anEntryWithoutASessionGoes() {
        assertThat(FlowKeeper.adopt(table, program.flowCache(), true)).isZero();
        assertThat(kernel.refresh(key, session)).isFalse();
    }

    @Test
    void ofASessionThatIsOverNothingIsTakenOver() {
        table.insert(key, session.addFlags(SessionRecord.CLOSED));
        assertThat(FlowKeeper.adopt(table, program.flowCache(), true)).isZero();
        assertThat(kernel.refresh(key, session)).isFalse();
    }

    @Test
    void withoutTheFastPathTheKernelForgetsAll() {
        table.insert(key, session);
        assertThat(FlowKeeper.adopt(table, program.flowCache(), false)).isZero();
        assertThat(kernel.refresh(key, session)).isFalse();
    }
}
