package io.ambo.node.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.ambo.proto.control.Failure;
import io.ambo.proto.control.ReloadRequest;
import io.ambo.proto.control.Request;
import io.ambo.proto.control.Response;
import io.ambo.proto.control.SessionListRequest;
import io.ambo.proto.control.StatusRequest;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Over a real unix socket. */
@Timeout(60)
class ControlServerTest {
    @TempDir
    Path directory;
    private Path socket = Path.of("");
    private final FakeTarget target = new FakeTarget("a").withTcp(51_022);
    private final List<AutoCloseable> open = new ArrayList<>();

    @BeforeEach
    void nameTheSocket() { socket = directory.resolve("control.sock"); }

    @AfterEach
    void closeEverything() throws Exception { for (AutoCloseable each : open.reversed()) each.close(); }

    @Test
    void aRequestIsAnsweredAndTheConnectionStaysForTheNext() throws IOException {
        start(new ControlServer.Settings(socket, ""));
        Asker asker = new Asker();
        for (int id = 1; id <= 3; id++) {
            Response response = asker.ask(Request.newBuilder().setId(id).setStatus(StatusRequest.getDefaultInstance()).build());
            assertThat(response.getId()).isEqualTo(id);
            assertThat(response.getNodes(0).getNode()).isEqualTo("a");
            assertThat(response.getNodes(0).getLocal()).isTrue();
            assertThat(response.getNodes(0).getStatus().getSessions()).isEqualTo(1);
        }
    }

    @Test
    void requestsThatComeAllAtOnceAreAnsweredInTheirOrder() throws IOException {
        start(new ControlServer.Settings(socket, ""));
        Asker asker = new Asker();
        for (int id = 1; id <= 8; id++) asker.send(Request.newBuilder().setId(id).setStatus(StatusRequest.getDefaultInstance()).build());
        for (int id = 1; id <= 8; id++) assertThat(asker.receive().getId()).isEqualTo(id);
    }

    @Test
    void theSocketIsForOwnerAndGroupOnly() throws IOException {
        start(new ControlServer.Settings(socket, ""));
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket))).isEqualTo("rw-rw----");
        assertThat(socket.resolveSibling("control.sock.new")).doesNotExist();
    }

    @Test
    void anUnknownGroupIsAnErrorThatSaysWhatToDo() {
        assertThatThrownBy(() -> start(new ControlServer.Settings(socket, "no-such-group-here"))).isInstanceOf(ControlException.class)
                .hasMessage("no group no-such-group-here on this host for the control socket; groupadd --system no-such-group-here,"
                        + " or change node.control-group");
        assertThat(socket).doesNotExist();
    }

    @Test
    void theFileOfADeadNodeIsReplaced() throws IOException {
        try (ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            dead.bind(UnixDomainSocketAddress.of(socket));
        }
        assertThat(socket).exists();
        start(new ControlServer.Settings(socket, ""));
        assertThat(new Asker().ask(status()).getNodesCount()).isEqualTo(1);
    }

    @Test
    void theSocketOfALivingNodeIsLeftAlone() throws IOException {
        start(new ControlServer.Settings(socket, ""));
        assertThatThrownBy(() -> start(new ControlServer.Settings(socket, ""))).isInstanceOf(ControlException.class)
                .hasMessageStartingWith("a node listens on " + socket + " already");
        assertThat(new Asker().ask(status()).getNodesCount()).isEqualTo(1);
    }

    @Test
    void aFileThatIsNoSocketIsLeftAlone() throws IOException {
        Files.writeString(socket, "precious");
        assertThatThrownBy(() -> start(new ControlServer.Settings(socket, ""))).isInstanceOf(ControlException.class)
                .hasMessageStartingWith(socket + " exists and is no socket");
        assertThat(socket).hasContent("precious");
    }

    @Test
    void theSocketIsGoneAfterTheEnd() throws IOException {
        start(new ControlServer.Settings(socket, "")).close();
        assertThat(socket).doesNotExist();
    }

    @Test
    void garbageIsAnsweredWithAnErrorAndEndsThatConnectionOnly() throws IOException {
        start(new ControlServer.Settings(socket, ""));
        Asker bystander = new Asker();
        Asker asker = new Asker();
        asker.sendBytes(new byte[]{ -1, -1, -1, -1, -1, -1 });
        assertThat(asker.receive().getError().getMessage()).isEqualTo("what came is no length");
        assertThat(asker.isAtEnd()).isTrue();
        Asker second = new Asker();
        second.sendBytes(new byte[]{ 3, 7, 7, 7 });
        assertThat(second.receive().getError().getMessage()).isEqualTo("the frame holds no request");
        assertThat(second.isAtEnd()).isTrue();
        assertThat(bystander.ask(status()).getNodesCount()).isEqualTo(1);
    }

    @Test
    void aFrameThatIsTooLargeIsRefusedBeforeItIsRead() throws IOException {
        start(new ControlServer.Settings(socket, ""));
        Asker asker = new Asker();
        asker.sendBytes(new byte[]{ (byte) 0x80, (byte) 0x80, (byte) 0x80, 0x40 });
        Failure error = asker.receive().getError();
        assertThat(error.getCode()).isEqualTo(Failure.Code.BAD_REQUEST);
        assertThat(error.getMessage()).isEqualTo("a frame of 134217728 bytes: at most 65536 are taken");
        assertThat(asker.isAtEnd()).isTrue();
    }

    @Test
    void anUnknownRequestIsAnsweredWithTheVersionOfTheNode() throws IOException {
        start(new ControlServer.Settings(socket, ""));
        Asker asker = new Asker();
        Response response = asker.ask(Request.newBuilder().setId(9).build());
        assertThat(response.getId()).isEqualTo(9);
        assertThat(response.getError().getMessage()).isEqualTo("unknown request: this node runs 9.9");
        assertThat(asker.isAtEnd()).isTrue();
    }

    @Test
    void aPageTokenOfSomebodyElseIsRefused() throws IOException {
        start(new ControlServer.Settings(socket, ""));
        Response response = new Asker().ask(Request.newBuilder()
                .setSessionList(
                        SessionListRequest.newBuilder().setPageToken(com.google.protobuf.ByteString.copyFrom(new byte[]{ 1, 2, 3 })))
                .build());
        assertThat(response.getError().getCode()).isEqualTo(Failure.Code.BAD_REQUEST);
    }

    @Test
    void anAskerThatDawdlesIsCutOff() throws IOException {
        start(new ControlServer.Settings(socket, "", 64, Duration.ofMillis(200)));
        Asker asker = new Asker();
        asker.sendBytes(new byte[]{ 100, 1 });
        assertThat(asker.isAtEnd()).isTrue();
    }

    @Test
    void oneConnectionTooManyIsTurnedAwayAndThereIsRoomAgainAfterwards() throws IOException {
        start(new ControlServer.Settings(socket, "", 2, Duration.ofSeconds(30)));
        Asker first = new Asker();
        first.ask(status());
        new Asker().ask(status());
        Asker third = new Asker();
        assertThat(third.receive().getError().getCode()).isEqualTo(Failure.Code.BUSY);
        assertThat(third.isAtEnd()).isTrue();
        first.close();
        await().untilAsserted(() -> assertThat(new Asker().ask(status()).hasError()).isFalse());
    }

    @Test
    void aReloadConcernsTheAskedNodeOnly() throws IOException {
        start(new ControlServer.Settings(socket, ""));
        Response response = new Asker().ask(Request.newBuilder().setReload(ReloadRequest.getDefaultInstance()).build());
        assertThat(response.getNodes(0).getReload().getApplied()).isTrue();
        assertThat(target.reloads).hasValue(1);
    }

    private ControlServer start(ControlServer.Settings settings) {
        ControlServer server = new ControlServer(settings, new LocalAnswers(target), PeerQuery.ALONE);
        open.add(server);
        server.start();
        return server;
    }

    private static Request status() { return Request.newBuilder().setStatus(StatusRequest.getDefaultInstance()).build(); }

    /** A client that may be as rude as a test likes. */
    private final class Asker implements AutoCloseable {
        private final SocketChannel channel;
        private final InputStream in;
        private final OutputStream out;

        Asker() throws IOException {
            channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
            in = Channels.newInputStream(channel);
            out = Channels.newOutputStream(channel);
            open.add(this);
        }

        Response ask(Request request) throws IOException {
            send(request);
            return receive();
        }

        void send(Request request) throws IOException { request.writeDelimitedTo(out); }

        void sendBytes(byte[] bytes) throws IOException { out.write(bytes); }

        Response receive() throws IOException {
            Response response = Response.parseDelimitedFrom(in);
            if (response == null) throw new IOException("the connection has ended");
            return response;
        }

        boolean isAtEnd() {
            try {
                return in.read() < 0;
            } catch (IOException e) {
                return true;
            }
        }

        @Override
        public void close() throws IOException { channel.close(); }
    }
}
