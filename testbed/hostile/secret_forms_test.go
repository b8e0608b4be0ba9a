package hostile

// laterLogins are forms that a second attack found or tried, as logins has them.
// What lies between a login and data is left out: a password that somebody
// inserts into a table of their own, or puts where no server takes one.
var laterLogins = map[string][]string{
	"redis": {
		`AUTH "bob" "%s word"`, `AUTH '%s'`, `ACL SETUSER bob >%s`, `CONFIG SET "requirepass" "%s"`, `CONFIG SET tls-key-file-pass %s`, `CONFIG SET tls-client-key-file-pass %s`, `SENTINEL CONFIG SET sentinel-pass %s`,
		"PING\r\nAUTH %s\r\nINFO", `SCRIPT LOAD "return redis.call('auth','%s')"`, `FUNCTION LOAD "#!lua name=x\nredis.call('AUTH','%s')"`, "SET admin:password %s", "HSET user:1 password %s", "HMSET u pass %s x 1",
		"*3\r\n$4\r\nauth\r\n$3\r\nbob\r\n$10\r\n%s\r\n*1\r\n$4\r\nPING\r\n", "*2\r\n$4\r\nAUTH\r\n$10\r\n%s", "CONFIG SET maxmemory 5 requirepass %s", "ACL SETUSER x ON >%s", "MSET password %s", "EVAL \"redis.call('ACL','SETUSER','x','>%s')\" 0", "HELLO 3 AUTH default %s SETNAME x",
		"CONFIG SET masteruser x masterauth %s", "SENTINEL SET mymaster auth-user x auth-pass %s", "AUTH\x00%s", "AUTH\v%s", "REPLCONF auth %s",
		"MIGRATE h 6379 \"\" 0 5000 REPLACE AUTH2 bob %s KEYS a b",
	},
	"imap": {
		"a1 LOGIN bob {10+}\r\n%s", "a1 LOGIN {3+}\r\nbob {10+}\r\n%s", "a1 AUTHENTICATE XOAUTH2 %b", "a1 AUTHENTICATE OAUTHBEARER %b", "a1 LOGIN bob ~{10}\r\n%s", `a1 LOGIN bob "pa %s ss"`, "a0 NOOP\r\na1 LOGIN bob %s", "tag.1 LOGIN \"bob\\\"x\" %s", "* LOGIN bob %s", "LOGIN bob %s",
		"a1 AUTHENTICATE EXTERNAL %b", "a1 AUTHENTICATE SCRAM-SHA-1 %b",
	},
	"pop3": {"USER bob\r\nPASS %s", "PASS a %s b", "AUTH XOAUTH2 %b", "AUTH SCRAM-SHA-256 %b", "AUTH\r\nPASS %s", "LOGIN bob %s", "PASS\t%s"},
	"smtp": {"EHLO x\r\nAUTH LOGIN Ym9i\r\n%b", "AUTH XOAUTH2 %b", "AUTH OAUTHBEARER %b", "AUTH NTLM %b", "AUTH=PLAIN %p", "AUTH PLAIN %p AUTH=<>", "XCLIENT LOGIN=bob ADDR=1.1.1.1\r\nAUTH PLAIN %p", "STARTTLS\r\nEHLO x\r\nAUTH PLAIN\r\n%p\r\n", "AUTH CRAM-MD5 %b", "auth login\r\n%b\r\n%b", "AUTH PLAIN =\r\n%p"},
	"ftp":  {"USER bob\r\nPASS %s", "SITE CHPASS old %s", "SITE PSWD \"old\" \"%s\"", "PASS -%s", "SITE ADDUSER bob %s", "STOR ftp://u:%s@h/x", "SITE PASSWD %s"},
	"http": {
		"GET / HTTP/1.1\r\nProxy-Authorization: Basic %p\r\n\r\n", "GET / HTTP/1.1\r\nCookie: session=%s\r\n\r\n", "GET / HTTP/1.1\r\nX-Auth-Token: %s\r\n\r\n", "GET / HTTP/1.1\r\nAuthorization: Token %s\r\n\r\n", "GET / HTTP/1.1\r\nAuthorization : Basic %p\r\n\r\n",
		"GET / HTTP/1.1\r\nAuthorization:\r\n Basic %p\r\n\r\n", "GET / HTTP/1.1\nAuthorization: Basic %p\n\n", "POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n%s\r\n--x--",
		"--x\r\nContent-Disposition: form-data; name=\"user[pass]\"\r\nContent-Type: text/plain\r\n\r\n%s\r\n--x--",
		`{"pass\u0077ord":"%s"}`, `{"credentials":{"pw":"%s"}}`, `{"password":["%s"]}`, `{'password': '%s'}`, "password[]=%s", "user[password]=%s", `<user name="a" password="%s"/>`, `<wsse:Password Type="x">%s</wsse:Password>`, `<soap:Body><Login><Pwd>%s</Pwd></Login></soap:Body>`,
		"pass=%s", "passphrase=%s", "pw=%s", "j_password=%s", "log=admin&pwd=%s", `<methodCall><methodName>wp.getUsersBlogs</methodName><params><param><value><string>admin</string></value></param><param><value><string>%s</string></value></param></params></methodCall>`,
		`{"query":"mutation{login(user:\"a\",password:\"%s\"){t}}"}`, `{"query":"mutation L($p:String!){login(p:$p){t}}","variables":{"password":"%s"}}`, "/?user=a;pass=%s", "/x;password=%s/y", "/#password=%s", "/?pass%2577ord=%s", "/?u=a&p%61ss%77d=%s",
		"redis://:%s@192.0.2.1/", "mongodb+srv://u:%s@192.0.2.1/", "jdbc:mysql://192.0.2.1/db?user=a&password=%s", "postgres://u:%s@192.0.2.1/x",
		"GET / HTTP/1.1\r\nX-Vault-Token: %s\r\n\r\n", "GET / HTTP/1.1\r\nPrivate-Token: %s\r\n\r\n", "GET / HTTP/1.1\r\nX-Amz-Security-Token: %s\r\n\r\n", "GET / HTTP/1.1\r\nX-Auth-Key: %s\r\n\r\n", "GET / HTTP/1.1\r\nAuthorization: Digest username=\"bob\", response=\"%s\"\r\n\r\n", "GET / HTTP/1.1\r\nSec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.%b\r\n\r\n",
		"/?newpass=%s", "/?password1=%s&password2=%s", "/?old_password=%s", "/?confirmPassword=%s", "/?pass_word=%s", "/?psw=%s", "/?pwd1=%s", "/?secretkey=%s", "/?sessionid=%s", "/?jwt=%s", "/?otp=%s", "/?auth=%s", "/?key=%s", "/?passwort=%s", "/?senha=%s", "/?motdepasse=%s", "/?contrasena=%s",
		"/login.cgi?cmd=x&username=a&psd=%s", "/?PASSWORD=%s", "/?Password =%s", "/?password%00=%s", "/?password=a%26%s", "/?password=a+%s", "password: %s", "password=\"x %s\"",
		"{\"password\" : \"a\\\"%s\"}", "{\"password\":123,\"x\":{\"token\":\"%s\"}}", "http://%s:@192.0.2.9/", "http://a:b:%s@192.0.2.9/", "http://bob%3A%s@192.0.2.9/", "//bob:%s@192.0.2.9/x",
		"POST /api HTTP/1.1\r\nX-Password: %s\r\n\r\n", "POST /api HTTP/1.1\r\nPassword: %s\r\n\r\n", "GET /?redirect=http%3A%2F%2Fbob%3A%s%40192.0.2.9%2F HTTP/1.1\r\n\r\n",
	},
	"mysql": {
		"ALTER USER bob IDENTIFIED WITH mysql_native_password BY '%s'", "ALTER USER postgres WITH ENCRYPTED PASSWORD '%s'", "CREATE LOGIN x WITH PASSWORD = N'%s'", "GRANT ALL ON *.* TO a@b IDENTIFIED BY \"%s\"", "UPDATE mysql.user SET authentication_string=PASSWORD('%s')", "EXEC sp_addlogin 'a','%s'", "EXEC sp_password NULL,'%s','sa'",
		"ALTER ROLE x PASSWORD $$%s$$", "ALTER ROLE x PASSWORD E'%s'", "CHANGE MASTER TO MASTER_PASSWORD='%s'", "CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD='%s'", "SELECT * FROM dblink('host=a user=b password=%s','x')", "SELECT * FROM OPENROWSET('SQLNCLI','s';'u';'%s','x')", "SET PASSWORD = '%s'", "SET PASSWORD FOR a TO '%s'", "ALTER USER a IDENTIFIED BY '%s' REPLACE 'old'", "ALTER USER a IDENTIFIED BY 'x' REPLACE '%s'", "CREATE USER a IDENTIFIED/**/BY/**/'%s'", "CREATE USER a IDENTIFIED BY /* x */ '%s'", "CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'u', password '%s')", "UPDATE users SET password='%s'", "select load_file('x') where password = '%s'", "IDENTIFIED BY 0x%s", "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (USER 'a', PASSWORD '%s')", "ALTER LOGIN sa WITH PASSWORD='%s' OLD_PASSWORD='x'", "PASSWORD EXPIRE; SET PASSWORD FOR x=OLD_PASSWORD('%s')", "ALTER USER a IDENTIFIED BY\n\t'it''s %s'", "create user a identified by 'x\\'%s'",
	},
	"mongodb":  {`db.auth("u","%s")`, `db.createUser({user:"a",pwd:"%s"})`, `{"saslStart":1,"payload":"%b"}`, `createUser {"createUser":"a","pwd":"%s","roles":[]}`},
	"postgres": {"ALTER ROLE x WITH PASSWORD '%s'", "CREATE SUBSCRIPTION s CONNECTION 'host=h password=%s' PUBLICATION p"},
	"rtsp":     {"DESCRIBE rtsp://u:%s@192.0.2.1/ RTSP/1.0\r\nAuthorization: Basic %p\r\n\r\n"},
	"sip":      {"REGISTER sip:a SIP/2.0\r\nAuthorization: Digest username=\"a\", response=\"%s\"\r\n\r\n"},
}
