"""The other programs of the laboratory: how they are called and configured."""

from lab import paths


def dnsmasq(leases):
    """dnsmasq in the foreground, without DNS, with its leases in a file.

    It stays root: a change of user would undo that it dies with its parent.
    """
    return [paths.program("dnsmasq"), "--no-daemon", "--port=0", "--no-ping",
            "--conf-file=/dev/null", "--user=root", "--group=root",
            f"--dhcp-leasefile={leases}", "--pid-file="]


def proxy_ipxe(script_url):
    """dnsmasq's options: UEFI and BIOS get iPXE, and iPXE gets a script."""
    return ["--dhcp-userclass=set:ipxe,iPXE",
            "--pxe-service=tag:!ipxe,x86-64_EFI,netboot,snponly.efi",
            "--pxe-service=tag:!ipxe,x86PC,netboot,undionly.kpxe",
            f"--pxe-service=tag:ipxe,x86-64_EFI,script,{script_url}",
            f"--pxe-service=tag:ipxe,x86PC,script,{script_url}"]


def proxy_file(name):
    """dnsmasq's options: UEFI loads file NAME over TFTP."""
    return [f"--pxe-service=x86-64_EFI,netboot,{name}"]


def proxy_http(url):
    """dnsmasq's options: UEFI HTTP Boot loads URL.

    Without some pxe-service dnsmasq's proxy answers nobody.
    """
    return ["--dhcp-pxe-vendor=PXEClient,HTTPClient",
            "--dhcp-vendorclass=set:http,HTTPClient",
            f"--dhcp-boot=tag:http,{url}",
            "--pxe-service=x86PC,unused,unused"]


def tftp_server(name, root, folder):
    """dnsmasq, tftpd-hpa or atftpd with the files of ROOT, on loopback.

    Their limits are lifted as far as they can be.
    """
    if name == "dnsmasq":
        return dnsmasq(folder / "leases") + [
            "--enable-tftp", f"--tftp-root={root}", "--tftp-max=2000",
            "--quiet-tftp"]
    if name == "tftpd-hpa":
        return [paths.program("in.tftpd"), "-4", "-L", "-a", "127.0.0.1:69",
                "-u", "root", "-s", root]
    return [paths.program("atftpd"), "--daemon", "--no-fork", "--user",
            "root.root", "--bind-address", "127.0.0.1", "--port", "69",
            "--maxthread", "2000", "--verbose=0", root]


def nginx(folder, config):
    """nginx in the foreground, with everything it writes in FOLDER."""
    return [paths.program("nginx"), "-p", folder, "-c", config,
            "-e", "stderr", "-g", "daemon off;"]


def nginx_config(folder, root, port):
    """A configuration of one worker that serves ROOT with sendfile."""
    temporary = "".join(
        f"  {kind}_temp_path {folder}/nginx-{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"""user root;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
{temporary}  access_log {folder}/nginx.access;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000;
  types {{ application/efi efi; }}
  default_type application/octet-stream;
  server {{ listen {port}; root {root}; }}
}}
"""
