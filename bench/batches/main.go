// Removes the old objects of a bucket as fast as a program can that promises nothing: it lists, and deletes batches of
// 1,000 keys, ten at once. No condition, no second look, no record. What the benchmark measures a server's ceiling with.
//
//	batches BUCKET DAYS      AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const keysInBatch, batchesAtOnce = 1000, 10

var (
	endpoint  = os.Getenv("AWS_ENDPOINT_URL")
	accessKey = os.Getenv("AWS_ACCESS_KEY_ID")
	secretKey = os.Getenv("AWS_SECRET_ACCESS_KEY")
	client    = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: batchesAtOnce + 1}}
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "batches:", err)
		os.Exit(1)
	}
}

func mac(key []byte, text string) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(text))
	return hash.Sum(nil)
}

func hexSha256(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// ask sends one request, signed with SigV4, and gives the body of its answer.
func ask(method, path string, query url.Values, body []byte) []byte {
	encoded := strings.ReplaceAll(query.Encode(), "+", "%20")
	request, err := http.NewRequest(method, endpoint+path+"?"+encoded, bytes.NewReader(body))
	check(err)
	now := time.Now().UTC()
	stamp, day, payload := now.Format("20060102T150405Z"), now.Format("20060102"), hexSha256(body)
	md5sum := md5.Sum(body)
	request.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(md5sum[:]))
	request.Header.Set("x-amz-content-sha256", payload)
	request.Header.Set("x-amz-date", stamp)
	names := "host;x-amz-content-sha256;x-amz-date"
	canonical := strings.Join([]string{method, path, encoded, "host:" + request.URL.Host,
		"x-amz-content-sha256:" + payload, "x-amz-date:" + stamp, "", names, payload}, "\n")
	scope := day + "/us-east-1/s3/aws4_request"
	toSign := "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hexSha256([]byte(canonical))
	key := mac(mac(mac(mac([]byte("AWS4"+secretKey), day), "us-east-1"), "s3"), "aws4_request")
	request.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=%s,Signature=%s",
		accessKey, scope, names, hex.EncodeToString(mac(key, toSign))))
	answer, err := client.Do(request)
	check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	check(err)
	if answer.StatusCode != http.StatusOK {
		check(fmt.Errorf("%s %s: %s %s", method, path, answer.Status, text))
	}
	return text
}

type listing struct {
	IsTruncated           bool
	NextContinuationToken string
	Contents              []struct {
		Key          string
		LastModified time.Time
	}
}

type deleteRequest struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Object  []object
}

type object struct{ Key string }

func remove(bucket string, keys []object) {
	body, err := xml.Marshal(deleteRequest{Quiet: true, Object: keys})
	check(err)
	answer := ask("POST", "/"+bucket, url.Values{"delete": {""}}, body)
	if bytes.Contains(answer, []byte("<Error>")) {
		check(fmt.Errorf("an error in a batch: %s", answer))
	}
}

func main() {
	if len(os.Args) != 3 {
		check(fmt.Errorf("usage: batches BUCKET DAYS"))
	}
	bucket := os.Args[1]
	days, err := strconv.Atoi(os.Args[2])
	check(err)
	cutoff := time.Now().Add(-time.Duration(days) * 24 * time.Hour)

	batches := make(chan []object, batchesAtOnce)
	var workers sync.WaitGroup
	for i := 0; i < batchesAtOnce; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for batch := range batches {
				remove(bucket, batch)
			}
		}()
	}
	query := url.Values{"list-type": {"2"}, "max-keys": {"1000"}}
	var batch []object
	for more := true; more; {
		var page listing
		check(xml.Unmarshal(ask("GET", "/"+bucket, query, nil), &page))
		for _, found := range page.Contents {
			if !found.LastModified.Before(cutoff) {
				continue
			}
			if batch = append(batch, object{found.Key}); len(batch) == keysInBatch {
				batches <- batch
				batch = nil
			}
		}
		more = page.IsTruncated
		query.Set("continuation-token", page.NextContinuationToken)
	}
	if len(batch) > 0 {
		batches <- batch
	}
	close(batches)
	workers.Wait()
}
